"""The outlook: typical hours, sharpened by day-ahead prices, from training rows alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.series import BaseSeries
from pipeline.errors import ModelError, TrainingError
from pipeline.outlook import Outlook, fit_outlook

TZ = "America/Los_Angeles"
START = pd.Timestamp("2024-01-08", tz=TZ)


def series(days: int, *, swing_kw: float = 0.0, prices: bool = False, cadence_s: float = 300.0) -> BaseSeries:
    """Net load by the local hour, a day's own level on top; prices tell the level exactly."""
    index = pd.date_range(START, periods=round(days * 86_400 / cadence_s), freq=f"{cadence_s:g}s")
    hours = (index.hour + index.minute / 60).to_numpy()
    level = 5_000 + 1_000 * np.sin(hours / 24 * 2 * np.pi)
    level = level + swing_kw * ((index.day_of_year % 2).to_numpy() * 2 - 1)
    frame = pd.DataFrame({"net_load_kw": level}, index=index.tz_convert("UTC").rename("ts_utc"))
    if prices:
        hourly = frame["net_load_kw"].groupby(pd.DatetimeIndex(frame.index).floor("h")).transform("mean")
        frame["da_price_usd_per_mwh"] = 10 + hourly / 100
    return BaseSeries(frame, cadence_s)


def test_without_prices_the_outlook_is_what_is_typical_of_the_local_time() -> None:
    learnt = fit_outlook([series(14)], site_tz=TZ)
    tomorrow = (START + timedelta(days=20)).to_pydatetime().astimezone(UTC)
    levels = learnt.levels_kw(tomorrow, 288, {})
    expected = series(14).frame["net_load_kw"].iloc[:288]
    np.testing.assert_allclose(levels, expected)


def test_the_typical_day_follows_the_clock_on_the_wall_over_a_daylight_saving_change() -> None:
    learnt = fit_outlook([series(5)], site_tz=TZ)
    noon = datetime(2024, 3, 5, 12, tzinfo=ZoneInfo(TZ))
    summer_noon = datetime(2024, 3, 12, 12, tzinfo=ZoneInfo(TZ))
    assert summer_noon.astimezone(UTC).hour != noon.astimezone(UTC).hour
    assert learnt.levels_kw(summer_noon, 1, {}) == learnt.levels_kw(noon, 1, {})


def test_day_ahead_prices_tell_an_unusual_day() -> None:
    learnt = fit_outlook([series(14, swing_kw=800.0, prices=True)], site_tz=TZ)
    judged = series(16, swing_kw=800.0, prices=True).frame.iloc[14 * 288 :]
    begin = judged.index[0].to_pydatetime()
    prices = dict(
        zip(pd.DatetimeIndex(judged.index).to_pydatetime(), judged["da_price_usd_per_mwh"], strict=True)
    )
    truth = judged["net_load_kw"].to_numpy()
    with_prices = np.abs(np.array(learnt.levels_kw(begin, len(judged), prices)) - truth).mean()
    without = np.abs(np.array(learnt.levels_kw(begin, len(judged), {})) - truth).mean()
    assert learnt.price_weight > 0.9
    assert with_prices < 0.2 * without


def test_a_price_beyond_all_that_were_seen_gives_no_level_beyond_them() -> None:
    learnt = fit_outlook([series(14, swing_kw=800.0, prices=True)], site_tz=TZ)
    begin = (START + timedelta(days=15)).to_pydatetime().astimezone(UTC)
    spike = {begin + k * timedelta(minutes=5): 9_999.0 for k in range(24)}
    levels = learnt.levels_kw(begin, 24, spike)
    assert np.mean(levels) == pytest.approx(max(learnt.price_level_kw), rel=0.01)


def test_rows_after_the_training_rows_change_nothing() -> None:
    early = series(14, swing_kw=500.0, prices=True)
    whole = series(16, swing_kw=500.0, prices=True).frame
    cut = BaseSeries(whole[whole.index <= early.frame.index[-1]], 300.0)
    assert fit_outlook([cut], site_tz=TZ) == fit_outlook([early], site_tz=TZ)


@given(gap=st.integers(0, 287), length=st.integers(1, 200))
def test_hours_without_training_rows_take_their_neighbours_and_stay_finite(gap: int, length: int) -> None:
    frame = series(1).frame
    kept = np.ones(len(frame), dtype=bool)
    kept[(gap + np.arange(length)) % 288] = False
    learnt = fit_outlook([BaseSeries(frame[kept], 300.0)], site_tz=TZ)
    assert np.isfinite(learnt.profile_kw).all()
    assert (
        min(frame["net_load_kw"])
        <= min(learnt.profile_kw)
        <= max(learnt.profile_kw)
        <= max(frame["net_load_kw"])
    )


def test_no_net_load_at_all_is_an_error_that_says_so() -> None:
    empty = series(1).frame.assign(net_load_kw=np.nan)
    with pytest.raises(TrainingError, match="net_load_kw: no value at all"):
        fit_outlook([BaseSeries(empty, 300.0)], site_tz=TZ)


def test_a_saved_outlook_is_read_back_equal_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    learnt = fit_outlook([series(14, swing_kw=800.0, prices=True)], site_tz=TZ)
    learnt.save(tmp_path)
    assert Outlook.load(tmp_path) == learnt
    (tmp_path / "outlook.json").write_text("{}")
    with pytest.raises(ModelError, match="train again"):
        Outlook.load(tmp_path)


@given(
    zone=st.sampled_from(["UTC", "Europe/Luxembourg", "America/Los_Angeles", "Asia/Kathmandu"]),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2025, 1, 1)),  # noqa: DTZ001  made aware below
    minutes=st.lists(st.integers(0, 5000), min_size=1, max_size=40),
)
def test_a_slot_is_the_local_clocks_also_around_a_daylight_saving_change(
    zone: str, start: datetime, minutes: list[int]
) -> None:
    moments = [start.replace(microsecond=0, tzinfo=UTC) + timedelta(minutes=after) for after in minutes]
    local = [moment.astimezone(ZoneInfo(zone)) for moment in moments]
    expected = [(at.hour * 3600 + at.minute * 60 + at.second) // 300 for at in local]
    found = Outlook(zone, 300.0, (0.0,) * 288).slots(np.array([moment.timestamp() for moment in moments]))
    assert found.tolist() == expected
