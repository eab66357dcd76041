"""``smartgrid train``: versions, roll-back, and a refit only where the forecasts have decayed."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from grid.telemetry import NATIVE_SITE, Telemetry
from pipeline.errors import TrainingError
from pipeline.forecast import Forecast
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.forecasting.versions import current_folder
from pipeline.outlook import Outlook
from pipeline.sqlite_store import SqliteStore
from policies.limits import load_limits
from smartgrid.cli import main
from smartgrid.day.preparation import learn
from smartgrid.model_home import has_model, metadata_of, publish
from smartgrid.refit import stored_series

Run = Callable[..., tuple[int, str, str]]
QUARTER = timedelta(minutes=15)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs ``smartgrid train`` in this process: exit code, standard output, standard error."""
    for name in [name for name in os.environ if name.startswith("SMARTGRID_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SMARTGRID_STATE", str(tmp_path / "state"))

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["smartgrid", "train", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return int(str(code or 0)), out, err

    return call


def answer(found: tuple[int, str, str]) -> dict[str, object]:
    code, out, err = found
    assert code == 0, err
    document: dict[str, object] = json.loads(out)
    return document


def in_use(directory: Path) -> dict[str, object]:
    """Metadata of the model in use, as JSON has them."""
    found: dict[str, object] = json.loads(json.dumps(metadata_of(current_folder(directory))))
    return found


def series(days: float, seed: int = 1) -> BaseSeries:
    """A daily course with noise, a quarter of an hour apart."""
    rng = np.random.default_rng(seed)
    rows = round(days * 96)
    index = pd.date_range("2024-05-01", periods=rows, freq="15min", tz="UTC", name="ts_utc", unit="us")
    load = 1000.0 + 200.0 * np.sin(2 * np.pi * np.arange(rows) / 96.0) + rng.normal(0.0, 8.0, rows)
    solar = 90.0 * np.clip(np.sin(2 * np.pi * (np.arange(rows) - 24) / 96.0), 0.0, None)
    frame = pd.DataFrame({"load_kw": load, "solar_kw": solar, "net_load_kw": load - solar}, index=index)
    return BaseSeries(frame, 900.0)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "area.csv"
    series(8).frame.drop(columns="net_load_kw").to_csv(path)
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a model in use and four days measured."""
    folder = tmp_path / "state"
    publish(folder / "model", learn((series(5, seed=2),), tz="Europe/Luxembourg", limits=load_limits(None)))
    return folder


def measure(state: Path, error_kw: float, model: str, days: float = 4.0) -> datetime:
    """Telemetry, and forecasts whose median is off by so much; the moment of the last pulse."""
    frame = series(days).frame
    net_kw = frame["net_load_kw"].to_numpy()
    times: list[datetime] = [moment.to_pydatetime() for moment in frame.index]
    pulses = [
        Telemetry(NATIVE_SITE, moment, load, solar, None, load - solar)
        for moment, load, solar in zip(times, frame["load_kw"], frame["solar_kw"], strict=True)
    ]
    forecasts = []
    for place in range(len(times) - 2):
        p50_kw = float(net_kw[place + 2] - net_kw[place]) - error_kw
        band = (p50_kw - 10.0, p50_kw, p50_kw + 10.0)
        target_at = times[place] + 2 * QUARTER
        forecasts.append(Forecast(NATIVE_SITE, times[place], target_at, float(net_kw[place]), *band, model))
    with SqliteStore(state / "telemetry.db") as store:
        store.write(pulses, forecasts)
    return times[-1]


def test_each_training_is_a_version_and_a_roll_back_leads_to_the_one_before(
    run: Run, recording: Path, tmp_path: Path
) -> None:
    first = answer(run(recording, "--out", tmp_path / "m", "--json"))
    second = answer(run(recording, "--until", "2024-05-07", "--out", tmp_path / "m", "--json"))
    assert first["action"] == "trained"
    listed = answer(run("--versions", "--out", tmp_path / "m", "--json"))["versions"]
    assert isinstance(listed, list)
    assert [(item["version"], item["in_use"]) for item in listed] == [
        (first["version"], False),
        (second["version"], True),
    ]
    assert in_use(tmp_path / "m") == json.loads(json.dumps(second["metadata"]))
    back = answer(run("--roll-back", "--out", tmp_path / "m", "--json"))
    assert back == {"action": "rolled_back", "model": str(tmp_path / "m"), "version": first["version"]}
    assert in_use(tmp_path / "m") == json.loads(json.dumps(first["metadata"]))
    Outlook.load(current_folder(tmp_path / "m"))
    code, _, err = run("--roll-back", "--out", tmp_path / "m")
    assert code == 1
    assert "no earlier version" in err


def test_the_list_shows_a_damaged_version_as_such(run: Run, recording: Path, tmp_path: Path) -> None:
    answer(run(recording, "--out", tmp_path / "m", "--json"))
    (current_folder(tmp_path / "m") / "model.json").write_text("{}")
    assert "damaged" in str(answer(run("--versions", "--out", tmp_path / "m", "--json"))["versions"])
    code, out, _ = run("--versions", "--out", tmp_path / "m")
    assert code == 0
    assert "yes" in out


def test_sound_forecasts_leave_the_model_in_use(run: Run, state: Path) -> None:
    before = current_folder(state / "model")
    measure(state, error_kw=4.0, model="m")
    document = answer(run("--if-degraded", "--json"))
    assert document["action"] == "kept"
    drift = document["drift"]
    assert isinstance(drift, dict)
    assert drift["degraded"] is False
    assert current_folder(state / "model") == before
    code, out, _ = run("--if-degraded")
    assert (code, out.strip()) == (0, "area-native: not degraded; the model stays in use")


def test_decayed_forecasts_are_refitted_from_the_store_as_a_new_version_once(run: Run, state: Path) -> None:
    before = current_folder(state / "model")
    last = measure(state, error_kw=14.0, model="m")
    document = answer(run("--if-degraded", "--json"))
    drift, metadata = document["drift"], document["metadata"]
    assert isinstance(drift, dict)
    assert isinstance(metadata, dict)
    assert document["action"] == "trained"
    assert (drift["degraded"], drift["coverage"], drift["site"]) == (True, 0.0, NATIVE_SITE)
    assert "band holds" in drift["reasons"][0]
    assert metadata["site_tz"] == "Europe/Luxembourg"
    assert metadata["data_end"] == (last - 2 * QUARTER).isoformat()
    now_in_use = current_folder(state / "model")
    assert now_in_use != before
    name = load_stream_model(now_in_use).name
    with SqliteStore(state / "telemetry.db") as store:  # the next pulse is forecast by the new model
        newest = store.latest_forecast(NATIVE_SITE)
        assert newest is not None
        store.write([], [replace(newest, issued_at=last, target_at=last + 2 * QUARTER, model=name)])
    assert answer(run("--if-degraded", "--json"))["action"] == "kept"


def test_a_refit_can_learn_from_a_file_instead(run: Run, state: Path, recording: Path) -> None:
    measure(state, error_kw=14.0, model="m")
    document = answer(run(recording, "--if-degraded", "--json"))
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["rows"] == 8 * 96 - 2
    assert metadata["site_tz"] == "UTC"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--if-degraded", "--site", "feeder 7"], "--site feeder 7: choose a site of the store: area-native"),
        (["--if-degraded", "--roll-back"], "choose one"),
        (["area.csv", "--versions"], "take no file"),
    ],
)
def test_wrong_usage_says_what_to_choose(arguments: list[str], told: str, run: Run, state: Path) -> None:
    measure(state, error_kw=4.0, model="m", days=2.0)
    code, _, err = run(*arguments)
    assert code == 1
    assert told in err


def test_without_a_store_or_a_model_nothing_is_judged(run: Run, tmp_path: Path) -> None:
    code, _, err = run("--if-degraded")
    assert code == 1
    assert "Traceback" not in err
    assert not has_model(tmp_path / "state" / "model")


def test_a_stored_series_is_what_was_measured_with_the_channels_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").mkdir()
    last = measure(tmp_path / "state", error_kw=0.0, model="m", days=3.0)
    with SqliteStore(tmp_path / "state" / "telemetry.db") as store:
        found = stored_series(store, NATIVE_SITE, last, cadence_s=900.0)
        expected = series(3.0).frame.iloc[:-1][["load_kw", "solar_kw", "net_load_kw"]]
        pd.testing.assert_frame_equal(found.frame, expected, check_freq=False)
        monkeypatch.setattr("smartgrid.refit.MOST_PULSES", 150)
        pd.testing.assert_frame_equal(
            stored_series(store, NATIVE_SITE, last, cadence_s=900.0).frame,
            expected.iloc[-192:],
            check_freq=False,
        )  # whole days: what holds so many pulses
        with pytest.raises(TrainingError, match="nothing is stored"):
            stored_series(store, "other", last, cadence_s=900.0)


def test_horizons_that_are_no_minutes_are_refused_with_the_fix(run: Run) -> None:
    code, _, err = run("--horizons", "5,an hour")
    assert code == 1
    assert "--horizons 5,an hour: give minutes, separated by commas: 5,15,60" in err
