"""Training and the model: what it refuses, what it promises."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xgboost

from grid.series import BaseSeries
from pipeline.errors import ModelError, TrainingError
from pipeline.features import FEATURE_NAMES, events_of, feature_rows
from pipeline.model import ForecastModel
from pipeline.model_inputs import INPUT_NAMES, model_inputs
from pipeline.training import train, training_rows

TZ = "Europe/Luxembourg"


def some_rows(series: BaseSeries) -> tuple[np.ndarray, np.ndarray]:
    events = events_of(series)
    rows = feature_rows(events, np.arange(len(events)), cadence_s=series.cadence_s, site_tz=TZ)
    return rows, events.net_load_kw


def test_a_saved_model_predicts_the_same_bits(
    model: ForecastModel, series: BaseSeries, tmp_path: Path
) -> None:
    model.save(tmp_path)
    again = ForecastModel.load(tmp_path, cadence_s=300.0)
    assert again.predict(*some_rows(series)).tobytes() == model.predict(*some_rows(series)).tobytes()
    assert again.metadata == model.metadata
    assert again.name == model.name


def test_predictions_do_not_depend_on_batching(model: ForecastModel, series: BaseSeries) -> None:
    rows, level = some_rows(series)
    whole = model.predict(rows, level)
    single = [model.predict(rows[i : i + 1], level[i : i + 1]) for i in range(100)]
    assert np.concatenate(single).tobytes() == whole[:100].tobytes()
    assert model.predict(rows[:0], level[:0]).shape == (0, 3)


def test_quantiles_never_cross(model: ForecastModel, series: BaseSeries) -> None:
    band = model.predict(*some_rows(series))
    assert np.all(band[:, 0] <= band[:, 1])
    assert np.all(band[:, 1] <= band[:, 2])


def test_training_twice_gives_the_same_model(model: ForecastModel, series: BaseSeries) -> None:
    assert train(series, cadence_s=300.0, site_tz=TZ, trees=10).metadata == model.metadata


def test_metadata_say_where_the_model_comes_from(model: ForecastModel, series: BaseSeries) -> None:
    metadata = model.metadata
    assert metadata.features == FEATURE_NAMES
    assert (metadata.cadence_s, metadata.horizon_s, metadata.site_tz) == (300.0, 1800.0, TZ)
    assert metadata.rows == len(series.frame) - 6
    assert metadata.data_start == "2024-05-01T00:00:00+00:00"
    assert metadata.data_end == "2024-05-04T23:25:00+00:00"
    level = series.frame["net_load_kw"]
    change = (level - level.shift(6)).abs().dropna()
    assert metadata.ramp_limit_kw == pytest.approx(np.percentile(change, 90))
    assert metadata.p97_change_kw == pytest.approx(np.percentile(change, 97))
    assert metadata.p99_net_load_kw == pytest.approx(np.percentile(level.abs(), 99))
    assert metadata.metrics["skill_persistence"] > 0.2
    assert metadata.metrics["coverage"] == pytest.approx(0.8, abs=0.02)
    json.dumps(metadata.to_dict(), allow_nan=False)


def test_importance_is_shared_among_the_feature_families(model: ForecastModel) -> None:
    shares = model.importance_by_family()
    assert set(shares) == {"lags", "rolling", "gradient", "penetration", "hour", "level"}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["hour"] > 0.0


def test_a_model_of_another_cadence_is_refused(model: ForecastModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    with pytest.raises(ModelError, match="5 s is not the model's 300 s"):
        ForecastModel.load(tmp_path, cadence_s=5.0)


def test_a_model_of_other_features_is_refused(model: ForecastModel) -> None:
    booster = xgboost.Booster()
    booster.load_model(bytearray(model._raw))
    other = replace(model.metadata, features=(*FEATURE_NAMES[:-1], "temperature"), sha256="")
    with pytest.raises(ModelError, match="hour_cos, temperature"):
        ForecastModel(booster, other)


@pytest.mark.parametrize(
    ("field", "value"), [("ramp_limit_kw", 1.0), ("site_tz", "UTC"), ("band_factor", 0.0)]
)
def test_a_model_whose_metadata_were_changed_is_refused(
    model: ForecastModel, tmp_path: Path, field: str, value: float | str
) -> None:
    model.save(tmp_path)
    file = tmp_path / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    with pytest.raises(ModelError, match="sha256"):
        ForecastModel.load(tmp_path)


@pytest.mark.parametrize("content", ["", "{}", "[]", '"x"', '{"format": 1, "trees": "none.ubj"}', "\x00"])
def test_a_damaged_model_is_refused(model: ForecastModel, tmp_path: Path, content: str) -> None:
    model.save(tmp_path)
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(ModelError, match="train"):
        ForecastModel.load(tmp_path)


def test_trees_as_another_version_of_the_library_wrote_them_are_the_same_model(
    model: ForecastModel, tmp_path: Path
) -> None:
    raw = bytes(model._booster.save_raw("json"))  # not what this one writes
    written = ForecastModel(model._booster, replace(model.metadata, sha256=""), raw)
    written.save(tmp_path)
    assert ForecastModel.load(tmp_path).name == written.name != model.name


def test_damaged_trees_are_refused(model: ForecastModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    (trees,) = tmp_path.glob("trees-*.ubj")
    trees.write_bytes(trees.read_bytes()[:100])
    with pytest.raises(ModelError, match="damaged"):
        ForecastModel.load(tmp_path)


def test_a_model_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="smartgrid train"):
        ForecastModel.load(tmp_path)


def test_a_new_model_replaces_the_old_one_in_its_directory(
    model: ForecastModel, series: BaseSeries, tmp_path: Path
) -> None:
    model.save(tmp_path)
    newer = train(series, cadence_s=300.0, site_tz=TZ, trees=5)
    newer.save(tmp_path)
    assert ForecastModel.load(tmp_path).name == newer.name
    assert len(list(tmp_path.iterdir())) == 2


def test_the_trees_see_differences_to_the_newest_level_and_missing_stays_missing() -> None:
    rows = np.full((1, len(FEATURE_NAMES)), np.nan)
    rows[0, FEATURE_NAMES.index("lag_1_kw")] = 90.0
    rows[0, FEATURE_NAMES.index("std_5min_kw")] = 6.0
    rows[0, FEATURE_NAMES.index("hour_sin")] = 0.5
    inputs = model_inputs(rows, np.array([100.0]), scale_kw=2.0, mean_kw=80.0)
    seen = dict(zip(INPUT_NAMES, inputs[0].tolist(), strict=True))
    known = {name: value for name, value in seen.items() if not np.isnan(value)}
    assert known == {"lag_1_kw": -5.0, "std_5min_kw": 3.0, "hour_sin": 0.5, "level": 10.0}


def test_targets_cross_no_gap_and_no_border_between_series(series: BaseSeries) -> None:
    first, second = series.frame.iloc[:40], series.frame.iloc[46:90]
    parts = [BaseSeries(first, 300.0), BaseSeries(second, 300.0)]
    separate = training_rows(parts, cadence_s=300.0, site_tz=TZ, horizon_s=1800.0)
    assert len(separate.ts_us) == 34 + 38
    joined = [BaseSeries(pd.concat([first, second]), 300.0)]
    as_one = training_rows(joined, cadence_s=300.0, site_tz=TZ, horizon_s=1800.0)
    assert len(as_one.ts_us) == 34 + 38, "a value half an hour later must be there at that very time"
    level = series.frame["net_load_kw"].to_numpy()
    assert separate.change_kw[0] == level[6] - level[0]


def test_fast_pulses_are_learnt_a_minute_apart_from_full_windows() -> None:
    index = pd.date_range("2024-05-01", periods=2000, freq="5s", tz="UTC", unit="us", name="ts_utc")
    level = np.random.default_rng(0).normal(100.0, 5.0, 2000)
    fast = BaseSeries(pd.DataFrame({"net_load_kw": level}, index=index), 5.0)
    learnt = training_rows([fast], cadence_s=5.0, site_tz=TZ, horizon_s=1800.0)
    assert np.all(np.diff(learnt.ts_us) == 60_000_000)
    assert learnt.rows[20, FEATURE_NAMES.index("lag_1_kw")] == pytest.approx(level[239], abs=1 / 2048)


def test_too_little_to_learn_from_is_an_error(series: BaseSeries) -> None:
    with pytest.raises(TrainingError, match="44 rows"):
        train(BaseSeries(series.frame.iloc[:50], 300.0), cadence_s=300.0, site_tz=TZ)
    with pytest.raises(TrainingError, match="0 rows"):
        train([], cadence_s=300.0, site_tz=TZ)


def test_a_flat_series_is_an_error(series: BaseSeries) -> None:
    flat = series.frame.assign(net_load_kw=5.0)
    with pytest.raises(TrainingError, match="never changes"):
        train(BaseSeries(flat, 300.0), cadence_s=300.0, site_tz=TZ)


def test_a_series_without_solar_and_wind_trains(series: BaseSeries) -> None:
    alone = BaseSeries(series.frame[["net_load_kw"]], 300.0)
    model = train(alone, cadence_s=300.0, site_tz=TZ, trees=5)
    assert model.importance_by_family()["penetration"] == 0.0
    assert np.isfinite(model.predict(*some_rows(alone))).all()


def test_a_model_can_be_copied_to_another_place(model: ForecastModel, tmp_path: Path) -> None:
    model.save(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert ForecastModel.load(tmp_path / "b").name == model.name
    assert datetime.fromisoformat(model.metadata.data_start).tzinfo == UTC
