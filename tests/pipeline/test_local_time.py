"""Local time by the time-zone database, against pandas."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local_time import DAY_US, day_of_year, local_us, weekday
from pipeline.timestamps import to_micros

ZONES = (
    "UTC",
    "America/Chicago",
    "Europe/Berlin",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "Asia/Kathmandu",
    "Africa/Monrovia",  # 44.5 minutes behind UTC until 1972, within a quarter of an hour
    "Pacific/Apia",  # left out a whole day
)
YEAR_US = 365 * DAY_US


def by_pandas(ts_us: np.ndarray, zone: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(ts_us.astype("datetime64[us]")).tz_localize("UTC").tz_convert(zone)


def assert_as_pandas(ts_us: np.ndarray, zone: str) -> None:
    ours, theirs = local_us(ts_us, zone), by_pandas(ts_us, zone)
    assert ours.tolist() == theirs.tz_localize(None).as_unit("us").asi8.tolist()
    assert weekday(ours).tolist() == theirs.day_of_week.tolist()
    assert day_of_year(ours).tolist() == theirs.day_of_year.tolist()


@given(
    st.lists(st.integers(-10 * YEAR_US, 90 * YEAR_US), min_size=1, max_size=40),
    st.sampled_from(ZONES),
)
def test_local_time_is_that_of_pandas_at_any_moment(moments_us: list[int], zone: str) -> None:
    assert_as_pandas(np.array(moments_us), zone)


@pytest.mark.parametrize(
    ("zone", "moment"),
    [
        ("America/Chicago", datetime(2024, 3, 10, 8, tzinfo=UTC)),
        ("America/Chicago", datetime(2024, 11, 3, 7, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2024, 4, 6, 15, tzinfo=UTC)),
        ("Africa/Monrovia", datetime(1972, 1, 7, 0, 44, 30, tzinfo=UTC)),
        ("Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2023, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_local_time_changes_in_the_very_second_in_which_the_clocks_do(zone: str, moment: datetime) -> None:
    around = [moment + timedelta(seconds=s) for s in range(-1000, 1000, 50)]
    edge = [moment - timedelta(microseconds=1), moment, moment + timedelta(microseconds=1)]
    assert_as_pandas(np.array([to_micros(at) for at in around + edge]), zone)


def test_no_moments_have_no_local_time() -> None:
    assert local_us(np.empty(0, dtype=np.int64), "Europe/Berlin").tolist() == []
