"""The InfluxDB store on a real server: exact, idempotent, and without loss when the server is away."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.influx_setup import prepare_store
from pipeline.influx_store import BATCH_LINES, InfluxStore
from pipeline.influx_target import InfluxTarget
from pipeline.timestamps import from_micros
from tests.services_influx.server import fresh_target, own_bucket, private_server, remove

START = datetime(2024, 5, 1, tzinfo=UTC)
EVER = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
WRONG_TOKEN = "wrong-token"  # noqa: S105  no secret
TINY_AND_HUGE = (-0.0, 5e-324, -2.2250738585072014e-308, 0.1 + 0.2, 1e23, 1.7976931348623157e308)


def pulse(i: int, site: str = "area") -> Telemetry:
    return Telemetry(site, START + timedelta(seconds=5 * i), load_kw=i / 3, net_load_kw=-i / 7)


def forecast(i: int, model: str = "model") -> Forecast:
    issued = START + timedelta(seconds=5 * i)
    return Forecast("area", issued, issued + timedelta(minutes=30), i / 3, -0.1, 0.2, 0.3, model)


def dispatch(i: int) -> AssetDispatch:
    start = START + timedelta(minutes=5 * i)
    return AssetDispatch("area", "battery", start, 300.0, i / 3, i / 7, str(i), None, "ana", None)


def trade(i: int) -> EnergyTrade:
    return EnergyTrade("area", "battery", START + timedelta(minutes=5 * i), 300.0, i / 36, None, None)


# -- exact ------------------------------------------------------------------------------------

FINITE = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(TINY_AND_HUGE)
MICROS = st.integers(0, 7_258_118_399_999_999)  # 1970 to 2199
VALUES = st.lists(st.none() | FINITE, min_size=7, max_size=7)
SERIES = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.dictionaries(MICROS, VALUES, min_size=1, max_size=12),
    min_size=1,
    max_size=4,
)
NUMBERS = count()


@pytest.fixture(scope="module")
def shared_store() -> Iterator[InfluxStore]:
    with own_bucket() as target, InfluxStore(target) as store:
        yield store


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(series=SERIES, band=st.lists(FINITE, min_size=4, max_size=4))
def test_any_written_series_reads_back_bit_for_bit(
    shared_store: InfluxStore, series: dict[str, dict[int, list[float | None]]], band: list[float]
) -> None:
    prefix = f"{next(NUMBERS)}/"
    pulses = {
        prefix + site: [
            Telemetry(prefix + site, from_micros(at), *values) for at, values in sorted(rows.items())
        ]
        for site, rows in series.items()
    }
    made = {site: [_banded(seen, band) for seen in of_site] for site, of_site in pulses.items()}
    shared_store.write(
        [seen for of_site in pulses.values() for seen in of_site],
        [one for of_site in made.values() for one in of_site],
    )
    for site, of_site in pulses.items():  # repr tells -0.0 from 0.0
        assert repr(shared_store.telemetry(site, *EVER)) == repr(of_site)
        assert repr(shared_store.forecasts(site, *EVER)) == repr(made[site])
        assert repr(shared_store.latest(site, 3)) == repr(of_site[-3:])
        assert shared_store.latest_forecast(site) == made[site][-1]


TEXTS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SPANS = st.dictionaries(
    st.tuples(MICROS, st.sampled_from(["battery", "peaker", "a, b=c"])),
    st.tuples(*[FINITE] * 4, *[TEXTS] * 4, *[st.none() | FINITE] * 2),
    min_size=1,
    max_size=12,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(spans=SPANS)
def test_any_dispatches_and_trades_read_back_bit_for_bit(
    shared_store: InfluxStore, spans: dict[tuple[int, str], tuple[Any, ...]]
) -> None:
    site = f"{next(NUMBERS)}/settled"
    done, sold = [], []
    for (at, asset), (duration_s, power_kw, setpoint_kw, energy_kwh, *rest) in sorted(spans.items()):
        start = from_micros(at)
        done.append(AssetDispatch(site, asset, start, duration_s, power_kw, setpoint_kw, *rest[:4]))
        sold.append(EnergyTrade(site, asset, start, duration_s, energy_kwh, *rest[4:]))
    shared_store.write_settled(done, sold)
    assert repr(shared_store.dispatches(site, *EVER)) == repr(done)
    assert repr(shared_store.trades(site, *EVER)) == repr(sold)


def _banded(seen: Telemetry, band: list[float]) -> Forecast:
    net_load_kw, p10_kw, p50_kw, p90_kw = band
    target_at = seen.ts_utc + timedelta(minutes=30)
    return Forecast(seen.site, seen.ts_utc, target_at, net_load_kw, p10_kw, p50_kw, p90_kw, model=seen.site)


# -- idempotent -------------------------------------------------------------------------------


def test_more_than_one_batch_of_lines_is_written_whole(store: InfluxStore) -> None:
    pulses = [pulse(i) for i in range(BATCH_LINES + 10)]
    store.write(pulses)
    assert store.telemetry("area", *EVER) == pulses


def test_two_writers_of_the_same_values_and_a_batch_read_again_make_the_same_points(
    store: InfluxStore, target: InfluxTarget
) -> None:
    pulses, made = [pulse(i) for i in range(300)], [forecast(i) for i in range(300)]
    with InfluxStore(target) as other:
        writers = [
            Thread(target=_write_in_parts, args=(store, pulses, made, 70)),
            Thread(target=_write_in_parts, args=(other, pulses, made, 110)),
        ]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
    store.write(pulses[100:200], made[50:250])
    assert store.telemetry("area", *EVER) == pulses
    assert store.forecasts("area", *EVER) == made


def _write_in_parts(store: InfluxStore, pulses: list[Telemetry], made: list[Forecast], size: int) -> None:
    for start in range(0, len(pulses), size):
        store.write(pulses[start : start + size], made[start : start + size])


def test_values_of_two_versions_of_a_pulse_are_never_mixed(store: InfluxStore) -> None:
    older = Telemetry("area", START, load_kw=1.0, solar_kw=2.0)
    newer = Telemetry("area", START, solar_kw=3.0, wind_kw=4.0)
    store.write([older])
    store.write([newer])
    assert store.latest("area") == [newer]


# -- refused ----------------------------------------------------------------------------------


def test_points_beyond_the_retention_are_refused_not_dropped_silently() -> None:
    target = fresh_target()
    try:
        prepare_store(target, retention=timedelta(days=1), means_retention=None)
        with InfluxStore(target) as store, pytest.raises(StoreError, match="influx_retention_days"):
            store.write([pulse(0)])
    finally:
        remove(target)


def test_a_wrong_token_and_a_bucket_that_is_not_there_are_named_with_their_fix(target: InfluxTarget) -> None:
    with (
        InfluxStore(replace(target, token=WRONG_TOKEN)) as store,
        pytest.raises(StoreError, match="influx_token") as told,
    ):
        store.write([pulse(0)])
    assert WRONG_TOKEN not in str(told.value)
    with InfluxStore(replace(target, bucket="none-such")) as store:
        with pytest.raises(StoreError, match="store init"):
            store.write([pulse(0)])
        with pytest.raises(StoreError, match="store init"):
            store.latest("area")


def test_hostile_text_in_a_query_stays_text(store: InfluxStore, target: InfluxTarget) -> None:
    store.write([pulse(0)])
    everything = 'area" or r.site != "'
    assert store.latest(everything) == []
    hostile = replace(target, bucket=f'{target.bucket}") |> yield() //')
    with InfluxStore(hostile) as other, pytest.raises(StoreError, match="reading telemetry"):
        other.latest("area")


# -- away -------------------------------------------------------------------------------------


class Complaint(logging.Handler):
    """Tells when the client says for the first time that it must try again."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = Event()

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002  logging's signature
        self.heard.set()


def test_a_server_killed_in_the_middle_of_a_load_loses_nothing(tmp_path: Path) -> None:
    sites, under_way, complaint = ("area", "area-native"), Event(), Complaint()
    pulses = {site: [pulse(i, site) for i in range(20_000)] for site in sites}
    made = {site: [replace(forecast(i), site=site) for i in range(20_000)] for site in sites}
    settled = [(dispatch(i), trade(i)) for i in range(400)]
    retries = logging.getLogger("influxdb_client.client.write.retry")
    retries.addHandler(complaint)
    with private_server(tmp_path) as (server, target), InfluxStore(target) as store:

        def load(site: str) -> None:
            for start in range(0, 20_000, 100):
                store.write(pulses[site][start : start + 100], made[site][start : start + 100])
                if start == 1000:
                    under_way.set()

        def settle() -> None:
            for done, sold in settled:
                store.write_settled([done], [sold])

        loads = [*(Thread(target=load, args=(site,)) for site in sites), Thread(target=settle)]
        try:
            for loading in loads:
                loading.start()
            assert under_way.wait(60)
            server("kill")
            assert complaint.heard.wait(60), "the load ended before the server was killed"
            assert any(loading.is_alive() for loading in loads)
        finally:
            server("up")
            for loading in loads:
                loading.join()
            retries.removeHandler(complaint)
        for site in sites:
            assert store.telemetry(site, *EVER) == pulses[site]
            assert store.forecasts(site, *EVER) == made[site]
        assert store.dispatches("area", *EVER) == [done for done, _ in settled]
        assert store.trades("area", *EVER) == [sold for _, sold in settled]
