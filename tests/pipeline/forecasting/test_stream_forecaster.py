"""The forecaster in the stream gives the numbers that it gives offline, bit for bit."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from random import Random

import msgspec
import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from grid.telemetry import Telemetry
from pipeline.arrays import Floats, Micros
from pipeline.engine import StreamEngine
from pipeline.errors import ModelError, TransportError
from pipeline.features import SiteEvents, feature_rows
from pipeline.fixed_point import to_kw, to_quanta
from pipeline.forecasting.memory import SlotGrid, SlotSeries
from pipeline.forecasting.observations import Observations
from pipeline.forecasting.rows import NET, RowLayout, forecast_rows
from pipeline.forecasting.stream_forecaster import StreamForecaster, load_stream_model
from pipeline.forecasting.training import train_forecast
from pipeline.memory_stream import MemoryStream
from pipeline.messages import TELEMETRY_TOPIC, ForecastMessage, decode_telemetry, encode_telemetry
from pipeline.sqlite_store import SqliteStore
from pipeline.timestamps import to_micros
from pipeline.training import train
from tests.pipeline.shared_log import Reader, SharedLog

TZ = "Europe/Luxembourg"
PARTS_KW = (900.0, 20.0, 30.0)
SeriesMaker = Callable[..., BaseSeries]


def forecaster(series: BaseSeries, horizon_s: float = 1800.0) -> StreamForecaster:
    """Small models of a series."""
    alone = BaseSeries(series.frame[["net_load_kw"]], series.cadence_s)
    trained = train_forecast(alone, site_tz=TZ, horizons_s=(horizon_s,))
    return StreamForecaster(trained, train(series, cadence_s=series.cadence_s, site_tz=TZ, trees=5))


def pulses_of(series: BaseSeries, site: str, random: Random, late: float) -> list[Telemetry]:
    """The series as a site's meter sends it: some pulses late, some twice."""
    arrivals = []
    stamps = pd.DatetimeIndex(series.frame.index).to_pydatetime()
    for at, (moment, net_kw) in enumerate(zip(stamps, series.frame["net_load_kw"], strict=True)):
        pulse = Telemetry(site, moment, *PARTS_KW, float(net_kw))
        delay = random.randint(1, 6) + 0.5 if random.random() < late else 0.0
        arrivals.append((at + delay, pulse))
        if random.random() < 0.02:
            arrivals.append((at + delay + random.randint(0, 3), pulse))
    return [
        decode_telemetry(encode_telemetry(pulse)) for _, pulse in sorted(arrivals, key=lambda pair: pair[0])
    ]


def streamed(
    log: list[Telemetry], model: StreamForecaster, cuts: list[int]
) -> dict[tuple[str, int], tuple[float, ...]]:
    """By site and stamp what an engine publishes of a log in batches of these sizes."""
    shared = SharedLog(1)
    shared.append(log)
    reader = Reader(shared)
    reader.give(0)
    engine = StreamEngine(reader, None, model)
    turn = 0
    while engine.run_once(cuts[turn % len(cuts)]).polled:
        turn += 1
    made = [msgspec.json.decode(value, type=ForecastMessage) for _, value in shared.produced]
    found: dict[tuple[str, int], tuple[float, ...]] = {
        (one.site, to_micros(one.issued_at)): (one.p10_kw, one.p50_kw, one.p90_kw) for one in made
    }
    assert len(found) == len(made), "a forecast was issued twice"
    return found


def offline(
    log: list[Telemetry], model: StreamForecaster, wanted: set[tuple[str, int]]
) -> tuple[dict[tuple[str, int], tuple[float, ...]], int]:
    """Some forecasts, each from all that came before it in the log; how many of them are seasonal."""
    layout = RowLayout(model.metadata.cadence_s, model.metadata.horizon_s, TZ)
    known: dict[str, dict[int, float]] = {}
    found, seasonal = {}, 0
    for pulse in log:
        history, ts_us = known.setdefault(pulse.site, {}), to_micros(pulse.ts_utc)
        assert pulse.net_load_kw is not None
        first = ts_us not in history
        history.setdefault(ts_us, pulse.net_load_kw)
        if first and (pulse.site, ts_us) in wanted:
            stamps = np.array(sorted(history))
            net_kw = np.array([history[stamp] for stamp in stamps.tolist()])
            bands_kw, by_season = band_of(stamps, net_kw, ts_us, layout, model)
            found[pulse.site, ts_us] = tuple(bands_kw[0].tolist())
            seasonal += by_season
    return found, seasonal


def band_of(
    stamps: Micros, raw_kw: Floats, ts_us: int, layout: RowLayout, model: StreamForecaster
) -> tuple[Floats, bool]:
    net_kw = to_kw(to_quanta(raw_kw))
    at = np.searchsorted(stamps, [ts_us])
    memory = SlotSeries(stamps, net_kw, SlotGrid.of_cadence(layout.cadence_s))
    row = forecast_rows(Observations(stamps, net_kw, {}), {NET: memory}, at, layout)
    if not np.isnan(row[0, layout.names.index("ahead_mean_7d_kw")]):
        return model.trained.predict(row, layout.horizon_s)[0], True
    events = SiteEvents(stamps, net_kw, *(np.full(len(stamps), value) for value in PARTS_KW))
    plain = feature_rows(events, at, cadence_s=layout.cadence_s, site_tz=TZ)
    return model.cold.predict(plain, raw_kw[at]), False


@pytest.mark.parametrize(("days", "cadence_s", "late"), [(2.3, 60.0, 0.01), (10.0, 900.0, 0.05)])
def test_forecasts_of_a_stream_are_those_of_the_whole_history_in_any_batching(
    make_series: SeriesMaker, days: float, cadence_s: float, late: float
) -> None:
    model = forecaster(make_series(max(days, 4.0), cadence_s, components=False, seed=2))
    random = Random(5)
    series = [make_series(days, cadence_s, components=False, gaps=0.03, seed=seed) for seed in (3, 4)]
    logs = [pulses_of(one, f"site-{i}", random, late) for i, one in enumerate(series)]
    log = [pulse for pair in zip(*logs, strict=False) for pulse in pair]
    made = streamed(log, model, cuts=[1, 7, 40, 3, 160, 11])
    assert len(made) == len({(pulse.site, pulse.ts_utc) for pulse in log})
    sample = {key for key in made if random.random() < 250 / len(made)}
    wanted, seasonal = offline(log, model, sample)
    assert {key: made[key] for key in sample} == wanted
    assert 20 < seasonal < len(sample)


def test_a_saved_one_gives_the_same_bits_and_the_same_name(tmp_path: Path, make_series: SeriesMaker) -> None:
    series = make_series(12.0, 900.0, components=False)
    model = forecaster(series)
    model.save(tmp_path)
    loaded = load_stream_model(tmp_path, cadence_s=900.0)
    log = pulses_of(series, "a", Random(1), 0.0)[:700]
    assert isinstance(loaded, StreamForecaster)
    assert loaded.name == model.name
    assert streamed(log, loaded, [100]) == streamed(log, model, [100])
    with pytest.raises(ModelError, match="cadence_s"):
        load_stream_model(tmp_path, cadence_s=60.0)


def test_a_forecaster_that_reads_solar_and_wind_is_refused(make_series: SeriesMaker) -> None:
    series = make_series(12.0, 900.0)
    trained = train_forecast(series, site_tz=TZ)
    with pytest.raises(ModelError, match="net load alone"):
        StreamForecaster(trained, train(series, cadence_s=900.0, site_tz=TZ, trees=5))


@pytest.fixture(scope="module")
def quarter_hours(make_series: SeriesMaker) -> StreamForecaster:
    return forecaster(make_series(12.0, 900.0, components=False, seed=2))


@pytest.mark.parametrize("seed", range(3))
def test_after_kills_and_moves_the_memory_comes_back_from_store_and_log_bit_for_bit(
    seed: int, quarter_hours: StreamForecaster, make_series: SeriesMaker, tmp_path: Path
) -> None:
    random = Random(seed)
    series = [make_series(10.0, 900.0, components=False, gaps=0.03, seed=seed + i) for i in range(3)]
    logs = [pulses_of(one, f"site-{i}", random, 0.05) for i, one in enumerate(series)]
    log = [pulse for group in zip(*logs, strict=False) for pulse in group]
    whole = streamed(log, quarter_hours, cuts=[100])
    shared = SharedLog(2)
    shared.append(log)
    with SqliteStore(tmp_path / "telemetry.db") as store:
        while not shared.finished():
            reader = Reader(shared)
            engine = StreamEngine(reader, store, quarter_hours)
            for number in range(shared.partitions):
                reader.give(number)
            for _ in range(random.randint(0, 4)):
                engine.run_once(random.choice([1, 30, 200, 600]))
            reader.fail_next_commit = random.random() < 0.8  # everything is written, nothing committed
            with suppress(TransportError):
                engine.run_once(random.choice([20, 300]))
    made = [msgspec.json.decode(value, type=ForecastMessage) for _, value in shared.produced]
    for one in made:  # what is issued again is the same
        assert (one.p10_kw, one.p50_kw, one.p90_kw) == whole[one.site, to_micros(one.issued_at)]
    assert {(one.site, to_micros(one.issued_at)) for one in made} == whole.keys()


def test_a_restarted_embedded_stream_goes_on_from_the_store(
    quarter_hours: StreamForecaster, make_series: SeriesMaker, tmp_path: Path
) -> None:
    log = pulses_of(make_series(10.0, 900.0, components=False, seed=9), "a", Random(1), 0.0)
    whole = streamed(log, quarter_hours, cuts=[100])
    for part in (log[:500], log[500:777], log[777:]):
        transport = MemoryStream()
        with SqliteStore(tmp_path / "telemetry.db") as store:
            engine = StreamEngine(transport, store, quarter_hours)
            for pulse in part:
                transport.produce(TELEMETRY_TOPIC, pulse.site, encode_telemetry(pulse))
            engine.drain()
            made = store.forecasts("a", part[0].ts_utc, part[-1].ts_utc + timedelta(seconds=1))
        for one in made:
            assert (one.p10_kw, one.p50_kw, one.p90_kw) == whole["a", to_micros(one.issued_at)]
        assert len(made) == len({pulse.ts_utc for pulse in part})


def test_a_model_is_swapped_between_batches_and_one_that_does_not_fit_is_refused(
    quarter_hours: StreamForecaster, make_series: SeriesMaker
) -> None:
    log = pulses_of(make_series(2.0, 900.0, components=False, seed=9), "a", Random(1), 0.0)
    shared = SharedLog(1)
    shared.append(log)
    reader = Reader(shared)
    reader.give(0)
    engine = StreamEngine(reader, None, quarter_hours)
    before = engine.run_once(50).forecasts
    engine.swap(quarter_hours.cold)
    engine.drain()
    names = [msgspec.json.decode(value, type=ForecastMessage).model for _, value in shared.produced]
    assert names == [quarter_hours.name] * before + [quarter_hours.cold.name] * (len(names) - before)
    with pytest.raises(ModelError, match="start the stream again"):
        engine.swap(train(make_series(2.0, 300.0), cadence_s=300.0, site_tz=TZ, trees=5))
    plain = StreamEngine(reader, None, quarter_hours.cold)
    with pytest.raises(ModelError, match="start the stream again"):
        plain.swap(quarter_hours)
