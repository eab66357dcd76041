"""Lines for InfluxDB: exact numbers, harmless names, and a refusal of what it cannot hold."""

from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.market import PriceQuote
from grid.telemetry import Telemetry
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.influx_points import (
    CHANNELS,
    FORECASTS,
    TELEMETRY,
    forecast_line,
    is_whole,
    original_name,
    quote_line,
    stored_name,
    telemetry_line,
    telemetry_of,
)
from pipeline.influx_setup import flux_text

START = datetime(2024, 5, 1, tzinfo=UTC)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def test_a_pulse_is_one_line_with_what_is_there() -> None:
    line = telemetry_line(Telemetry("bus 7", START, load_kw=0.1, net_load_kw=-2e-310, frequency_hz=50))
    expected = r"telemetry,site=bus\ 7 load_kw=0.1,net_load_kw=-2e-310,frequency_hz=50.0,present=73i"
    assert line == f"{expected} 1714521600000000"


@given(NAMES)
def test_any_name_reads_back_as_it_was_and_stays_within_its_place(name: str) -> None:
    stored = stored_name(name)
    assert original_name(stored) == name
    assert not set(stored) & set('"\\\n\r\t\0')
    assert telemetry_line(Telemetry(name, START, load_kw=1.0)).count("\n") == 0


def test_what_an_older_version_left_in_the_point_is_not_read() -> None:
    row = {"_time": "2024-05-01T00:00:00.25Z", "present": "2", **dict.fromkeys(CHANNELS, "7.5")}
    at = START.replace(microsecond=250_000)
    assert telemetry_of("area", row) == Telemetry("area", at, solar_kw=7.5)


def test_a_point_of_which_a_field_is_not_there_yet_is_not_whole() -> None:
    pulse = {"present": "9", "load_kw": "1.5", "solar_kw": "", "net_load_kw": "-2.0"}
    assert is_whole(TELEMETRY, pulse)
    assert is_whole(TELEMETRY, {"present": "0"})
    for name in ("present", "load_kw", "net_load_kw"):
        assert not is_whole(TELEMETRY, {**pulse, name: ""})
    band = dict.fromkeys(("net_load_kw", "p10_kw", "p50_kw", "p90_kw", "model"), "0.5")
    assert is_whole(FORECASTS, band)
    for name in band:
        assert not is_whole(FORECASTS, {**band, name: ""})


@pytest.mark.parametrize("value", [inf, -inf])
def test_an_infinite_value_is_refused_by_name(value: float) -> None:
    with pytest.raises(StoreError, match=f"solar_kw={value}"):
        telemetry_line(Telemetry("area", START, solar_kw=value))
    with pytest.raises(StoreError, match="da_price_usd_per_mwh"):
        quote_line(PriceQuote("area", START, 300.0, None, value))


def test_a_forecast_needs_all_its_numbers() -> None:
    with pytest.raises(StoreError, match="p90_kw=nan"):
        forecast_line(Forecast("area", START, START, 1.0, 1.0, 2.0, float("nan"), "model"))


def test_a_site_without_a_name_and_a_time_beyond_the_databases_own_are_refused() -> None:
    with pytest.raises(StoreError, match="site: empty"):
        telemetry_line(Telemetry("", START, load_kw=1.0))
    with pytest.raises(StoreError, match="ts_utc=2300"):
        telemetry_line(Telemetry("area", START.replace(year=2300), load_kw=1.0))


def test_a_flux_literal_cannot_be_ended_or_interpolated_from_within() -> None:
    assert flux_text('a"b\\${now()}') == '"a\\"b\\\\\\${now()}"'
