"""A saved forecast: the same bits, nothing but what was saved, and clear words about damage."""

import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grid.series import BaseSeries
from pipeline.errors import FeatureError, ModelError, TrainingError
from pipeline.forecasting.bands import RollingBands
from pipeline.forecasting.memory import DAY_US
from pipeline.forecasting.saved import TrainedForecast, is_trained_forecast
from pipeline.forecasting.training import prepare_parts, train_forecast

TZ = "Europe/Luxembourg"
SeriesMaker = Callable[..., BaseSeries]


@pytest.fixture(scope="module")
def series(make_series: SeriesMaker) -> BaseSeries:
    return make_series(28.0, 1800.0)


@pytest.fixture(scope="module")
def trained(series: BaseSeries) -> TrainedForecast:
    return train_forecast(series, site_tz=TZ, horizons_s=(3600.0, 1800.0))


@pytest.fixture
def saved(trained: TrainedForecast, tmp_path: Path) -> Path:
    trained.save(tmp_path / "m")
    return tmp_path / "m"


def rows_of(series: BaseSeries, horizon_s: float) -> np.ndarray:
    return prepare_parts([series], site_tz=TZ, horizon_s=horizon_s).rows


def test_a_loaded_forecast_equals_the_saved_one_bit_for_bit(
    trained: TrainedForecast, series: BaseSeries, saved: Path
) -> None:
    again = TrainedForecast.load(saved, cadence_s=1800.0)
    assert again.metadata == trained.metadata
    assert again.name == trained.name
    for horizon_s in (1800.0, 3600.0):
        rows = rows_of(series, horizon_s)
        for found, expected in zip(
            again.predict(rows, horizon_s), trained.predict(rows, horizon_s), strict=True
        ):
            assert found.tobytes() == expected.tobytes()
        for family, part in trained.forecasters[horizon_s].explain(rows[-9:]).items():
            assert again.forecasters[horizon_s].explain(rows[-9:])[family].tobytes() == part.tobytes()


def test_bands_resume_where_they_were(trained: TrainedForecast, saved: Path) -> None:
    again = TrainedForecast.load(saved)
    bands = [RollingBands.resume(found.bands[1800.0]) for found in (trained, again)]
    day = trained.bands[1800.0].day
    assert day is not None
    assert len(bands[0]) > 30
    for place in range(200):
        for rolling in bands:
            known_us = (day + 1) * DAY_US + place * 1_800_000_000
            rolling.record(known_us, change_kw=100.0 - place, median_kw=0.0, spread_kw=5.0)
            rolling.begin_day(known_us // DAY_US)
    states = [rolling.state() for rolling in bands]
    assert states[0].multiples.tobytes() == states[1].multiples.tobytes()
    assert states[0].scores.tobytes() == states[1].scores.tobytes()
    assert (states[0].multiples != trained.bands[1800.0].multiples).any()
    median, spread = np.linspace(-50.0, 50.0, 40), np.full(40, 9.0)
    assert states[0].bands(median, spread).tobytes() == bands[1].bands(median, spread).tobytes()


def test_metadata_say_where_it_comes_from(trained: TrainedForecast, series: BaseSeries) -> None:
    metadata = trained.metadata
    assert metadata.cadence_s == 1800.0
    assert metadata.components == ("load", "solar", "wind")
    assert metadata.data_start == "2024-03-01T00:00:00+00:00"
    assert metadata.data_end == "2024-03-28T23:00:00+00:00"  # the last one that has a value 30 minutes later
    assert [item.horizon_s for item in metadata.horizons] == [1800.0, 3600.0]
    assert metadata.rows == len(series.frame) - 1
    assert metadata.at(1800.0).metrics["skill_persistence"] > 0.5
    assert metadata.at(1800.0).metrics["coverage"] == pytest.approx(0.8, abs=0.1)
    assert sum(trained.importance_by_family().values()) == pytest.approx(1.0)
    with pytest.raises(ModelError, match="horizon_s: 900; the model forecasts 1800, 3600 s ahead"):
        metadata.at(900.0)


def test_training_twice_gives_the_same_hash_and_other_data_another(
    trained: TrainedForecast, make_series: SeriesMaker, series: BaseSeries
) -> None:
    again = train_forecast(series, site_tz=TZ, horizons_s=(1800.0, 3600.0))
    assert again.metadata == trained.metadata
    other = train_forecast(make_series(28.0, 1800.0, seed=2), site_tz=TZ, horizons_s=(1800.0, 3600.0))
    assert other.metadata.sha256 != trained.metadata.sha256


def test_no_row_of_separate_days_rests_on_another_day(make_series: SeriesMaker) -> None:
    frame = make_series(8.0, 300.0).frame
    days = [BaseSeries(frame.iloc[288 * day : 288 * (day + 1)], 300.0) for day in range(8)]
    joined = prepare_parts(days, site_tz=TZ, horizon_s=1800.0)
    for day, part in enumerate(days):
        alone = prepare_parts([part], site_tz=TZ, horizon_s=1800.0)
        of_day = slice(288 * day, 288 * (day + 1))
        np.testing.assert_array_equal(joined.rows[of_day], alone.rows)
        assert np.isnan(joined.change_kw[of_day][-6:]).all()
    trained = train_forecast(days, site_tz=TZ)
    assert trained.metadata.rows == 8 * (288 - 6)


def test_training_rows_of_a_fast_series_are_thinned_and_equal_those_of_the_whole(
    make_series: SeriesMaker,
) -> None:
    series = make_series(0.5, 5.0)
    thin = prepare_parts([series], site_tz=TZ, horizon_s=1800.0)
    assert len(thin.rows) == 720
    assert (np.diff(thin.seen.ts_us) == 60_000_000).all()
    recent = series.frame["net_load_kw"].to_numpy()
    lag = thin.layout.names.index("lag_1_kw")
    np.testing.assert_allclose(thin.rows[1:, lag], recent[12::12] - recent[11:-1:12], atol=2e-3)


def test_series_of_several_kinds_or_without_net_load_cannot_be_learnt_together(
    make_series: SeriesMaker,
) -> None:
    with pytest.raises(TrainingError, match="cadence or channels"):
        train_forecast([make_series(5.0, 300.0), make_series(5.0, 900.0)], site_tz=TZ)
    with pytest.raises(TrainingError, match="no value"):
        train_forecast(make_series(5.0, 900.0, gaps=1.0), site_tz=TZ)
    with pytest.raises(FeatureError, match="horizon_s"):
        train_forecast(make_series(5.0, 900.0), site_tz=TZ, horizons_s=(300.0,))


@pytest.mark.parametrize(
    "name", ["arrays.npz", "1800s-residual.ubj", "1800s-ramping-2.ubj", "3600s-spread.ubj"]
)
def test_a_damaged_or_absent_file_is_refused_by_name(saved: Path, name: str) -> None:
    whole = (saved / name).read_bytes()
    (saved / name).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ModelError, match=f"{name}: damaged"):
        TrainedForecast.load(saved)
    (saved / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: cannot be read .* train again"):
        TrainedForecast.load(saved)


@pytest.mark.parametrize("content", ["", "{}", "[]", '"x"', "\x00", '{"kind": "smartgrid-forecast"}'])
def test_a_foreign_or_empty_document_is_refused(saved: Path, content: str) -> None:
    (saved / "model.json").write_text(content)
    with pytest.raises(ModelError, match=r"model\.json: damaged, or of another program"):
        TrainedForecast.load(saved)


def test_a_document_of_a_later_format_is_refused(saved: Path) -> None:
    document = json.loads((saved / "model.json").read_text())
    (saved / "model.json").write_text(json.dumps({**document, "format": 4}))
    with pytest.raises(ModelError, match="format: "):
        TrainedForecast.load(saved)


def test_changed_metadata_are_refused(saved: Path) -> None:
    document = json.loads((saved / "model.json").read_text())
    document["metadata"]["ramp_limit_kw"] = 1.0
    (saved / "model.json").write_text(json.dumps(document))
    with pytest.raises(ModelError, match="sha256"):
        TrainedForecast.load(saved)


def test_a_file_name_that_leaves_the_folder_is_refused(
    trained: TrainedForecast, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.loads((saved / "model.json").read_text())
    document["files"]["../x.npz"] = document["files"].pop("arrays.npz")
    (saved / "model.json").write_text(json.dumps(document))
    monkeypatch.setattr("pipeline.forecasting.saved._hash", lambda *_: trained.metadata.sha256)
    with pytest.raises(ModelError, match="no plain file name"):
        TrainedForecast.load(saved)


def test_arrays_that_would_run_code_are_never_unpickled(
    trained: TrainedForecast, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
            return pytest.fail, ("unpickled",)

    buffer = io.BytesIO()
    trapped: dict[str, Any] = {"1800s.linear.columns": np.array([Trap()], dtype=object)}
    np.savez(buffer, allow_pickle=True, **trapped)
    (saved / "arrays.npz").write_bytes(buffer.getvalue())
    monkeypatch.setattr(
        "pipeline.forecasting.saved._checked", lambda folder, name, _: (folder / name).read_bytes()
    )
    with pytest.raises(ModelError, match="cannot be read"):
        TrainedForecast.load(saved)


def test_another_cadence_and_other_features_are_refused(
    trained: TrainedForecast, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="5 s is not the model's 1800 s"):
        TrainedForecast.load(saved, cadence_s=5.0)
    other = replace(trained.metadata, features=(*trained.metadata.features[:-1], "temperature"))
    TrainedForecast.of(other, trained.forecasters, trained.bands).save(tmp_path / "other")
    with pytest.raises(ModelError, match=r"features: .*temperature"):
        TrainedForecast.load(tmp_path / "other")


def test_what_is_there_is_told_from_what_is_not(saved: Path, tmp_path: Path) -> None:
    assert is_trained_forecast(saved)
    assert not is_trained_forecast(tmp_path)
    shutil.copytree(saved, tmp_path / "n")
    (tmp_path / "n" / "model.json").write_text('{"format": 1, "trees": "trees.ubj"}')
    assert not is_trained_forecast(tmp_path / "n")
    with pytest.raises(ModelError, match="there is no model"):
        TrainedForecast.load(tmp_path)
