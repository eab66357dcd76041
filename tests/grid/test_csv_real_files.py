"""The published measurements read as their publishers describe them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid.csv_series import CsvSeries, read_csv_series

ERCOT = "ercot_generation_15min_2019_2021H1"
AEMO = "aemo_vic_demand_price_5min_2024_2025H1"
LUXEMBOURG = "luxembourg_load_15min_2020_2024H1"
CAISO = "caiso_sample_days_5min_2019"
UCSD = "ucsd_pv_battery_site_15min_2016_2018"
TRACEBASE = "tracebase_site_5s_2012Jan"
NYISO_RT = "nyiso_rt_price_5min_2012_2017"
NYISO_DA = "nyiso_da_price_hourly_2010_2017"
MAPPING = {
    TRACEBASE: {"load": "total_w"},
    NYISO_RT: {"price": "nyc_rt_usd_per_mwh"},
    NYISO_DA: {"da_price": "nyc_da_usd_per_mwh"},
}

COLUMNS: dict[str, dict[str, str]] = {
    ERCOT: {"load": "total_gen_mw", "solar": "solar_mw", "wind": "wind_mw", "net_load": "net_load_mw"},
    AEMO: {"load": "operational_demand_mw", "price": "rrp_aud_per_mwh"},
    LUXEMBOURG: {"load": "load_mw", "solar": "solar_mw", "wind": "wind_mw", "net_load": "residual_load_mw"},
    CAISO: {"load": "demand_mw", "solar": "solar_mw", "wind": "wind_mw", "net_load": "net_load_mw"},
    UCSD: {"solar": "pv_kw", "net_load": "site_net_kw"},
    TRACEBASE: {"load": "total_w"},
    NYISO_RT: {"price": "nyc_rt_usd_per_mwh"},
    NYISO_DA: {"da_price": "nyc_da_usd_per_mwh"},
}
SHAPES = {
    ERCOT: (87_528, 900, 0, None),
    AEMO: (175_512, 300, 0, "AUD"),
    LUXEMBOURG: (52_420, 900, 1, None),
    CAISO: (6_336, 300, 21, None),
    UCSD: (66_046, 900, 1, None),
    TRACEBASE: (328_320, 5, 0, None),
    NYISO_RT: (631_236, 300, 0, "USD"),
    NYISO_DA: (70_123, 3600, 0, "USD"),
}
"""Rows, cadence in seconds, gaps and currency."""
TO_KW = {"w": 0.001, "kw": 1.0, "mw": 1000.0}

Reader = Callable[[str], CsvSeries]


@pytest.fixture(scope="module")
def read(data_dir: Path) -> Reader:
    """Reads a file by its name, once."""
    return cache(lambda name: read_csv_series(data_dir / f"{name}.csv.gz", mapping=MAPPING.get(name)))


@pytest.mark.parametrize("name", COLUMNS)
def test_each_file_has_the_channels_and_the_cadence_of_its_publisher(read: Reader, name: str) -> None:
    report = read(name).report
    rows, *shape = SHAPES[name]
    assert {channel: use.column for channel, use in report.columns.items()} == COLUMNS[name]
    assert (report.rows, report.used, report.set_aside, report.duplicates) == (rows, rows, 0, 0)
    assert [report.cadence_s, report.gaps, report.currency] == shape


@pytest.mark.parametrize("name", COLUMNS)
def test_every_value_is_the_one_that_another_reader_finds(read: Reader, data_dir: Path, name: str) -> None:
    frame = read(name).series.frame
    other = pd.read_csv(data_dir / f"{name}.csv.gz")
    stamps = pd.DatetimeIndex(pd.to_datetime(other["ts_utc"], utc=True))
    assert (pd.DatetimeIndex(frame.index) == stamps).all()
    for channel, column in COLUMNS[name].items():
        power = TO_KW.get(column.rsplit("_", 1)[1])
        ours = frame[f"{channel}_usd_per_mwh" if power is None else f"{channel}_kw"]
        np.testing.assert_allclose(ours.to_numpy(), other[column].to_numpy() * (power or 1.0), rtol=1e-12)


def test_ercot_shows_the_load_shed_of_february_2021(read: Reader) -> None:
    load = read(ERCOT).series.frame["load_kw"]
    assert load.loc["2021-02-15"].diff(2).min() == pytest.approx(-8.9e6, rel=0.01)


def test_aemo_has_negative_prices_up_to_the_cap_and_no_conversion(read: Reader) -> None:
    price = read(AEMO).series.frame["price_usd_per_mwh"]
    assert (price < 0).mean() == pytest.approx(0.19, abs=0.01)
    assert price.max() == pytest.approx(17_500.0, rel=0.01)
    assert read(AEMO).series.currency == "AUD"


def test_luxembourg_keeps_its_gap_of_three_years_and_its_glitch(read: Reader) -> None:
    found = read(LUXEMBOURG)
    assert found.report.longest_gap_s / 86_400 / 365 == pytest.approx(3.0, abs=0.02)
    assert found.series.frame.loc["2024-05-14 23:45", "load_kw"] == 69_000.0


def test_caiso_is_22_separate_days_with_solar_slightly_negative_at_night(read: Reader) -> None:
    found = read(CAISO)
    assert found.report.rows == 22 * 288
    assert -200_000.0 < found.series.frame["solar_kw"].min() < 0
    assert "batteries_mw" in found.report.ignored_columns


def test_ucsd_misses_some_net_load_and_its_battery_is_not_read(read: Reader) -> None:
    found = read(UCSD)
    assert found.series.frame["net_load_kw"].isna().mean() == pytest.approx(0.036, abs=0.001)
    assert found.report.net_load_rows == found.report.used - 2_392
    assert found.report.ignored_columns == ("battery_kw",)


def test_tracebase_is_nineteen_days_of_five_second_pulses(read: Reader) -> None:
    found = read(TRACEBASE)
    assert len(found.series.frame) == 19 * 86_400 / 5
    assert found.series.frame["load_kw"].median() < 5.0


@pytest.mark.parametrize(("name", "missing"), [(NYISO_RT, 9_244), (NYISO_DA, 8)])
def test_nyiso_prices_keep_their_blanks_and_have_no_net_load(read: Reader, name: str, missing: int) -> None:
    found = read(name)
    column = next(iter(found.report.columns)) + "_usd_per_mwh"
    assert found.series.frame[column].isna().sum() == missing
    assert not found.report.has_net_load


@pytest.mark.parametrize("name", [ERCOT, LUXEMBOURG, CAISO])
def test_a_published_net_load_agrees_with_its_parts_or_the_report_says_by_how_much(
    read: Reader, name: str
) -> None:
    frame = read(name).series.frame
    derived = frame["load_kw"] - frame["solar_kw"] - frame["wind_kw"]
    apart = (frame["net_load_kw"] - derived).abs()
    beyond = int((apart > 0.001 * np.maximum(frame["net_load_kw"].abs(), derived.abs())).sum())
    remarks = [note for note in read(name).report.notes if "net_load differs" in note]
    assert len(remarks) == (beyond > 0)
    assert beyond == 0 or f"in {beyond:,} rows" in remarks[0]
