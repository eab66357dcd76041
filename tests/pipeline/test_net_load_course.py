"""The expected course: what was measured corrects what was known beforehand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from grid.series import BaseSeries
from pipeline.net_load_course import Correction, PastDay, Paths, fit_correction
from pipeline.outlook import Course, Outlook, fit_outlook

TZ = "America/Los_Angeles"
START = pd.Timestamp("2024-01-08", tz=TZ)
INTERVAL = timedelta(minutes=15)
DAY = 96
MEMORY = 0.95


def series(
    days: int, seed: int = 1, noisy_from_hour: int | None = None, memory: float = MEMORY
) -> BaseSeries:
    """A daily wave and a distance from it that fades by 5 % each quarter of an hour; prices tell the wave.

    ``memory`` is another share of it that stays. From ``noisy_from_hour`` on, to the end of each day, the
    distance moves three times as much.
    """
    index = pd.date_range(START, periods=days * DAY, freq=INTERVAL)
    hours = (index.hour + index.minute / 60).to_numpy()
    wave = 5_000 + 1_000 * np.sin(hours / 24 * 2 * np.pi)
    shocks = np.random.default_rng(seed).normal(0.0, 30.0, len(index))
    if noisy_from_hour is not None:
        shocks = np.where(hours >= noisy_from_hour, 3.0 * shocks, shocks)
    away = np.zeros(len(index))
    for k in range(1, len(index)):
        away[k] = memory * away[k - 1] + shocks[k]
    frame = pd.DataFrame({"net_load_kw": wave + away}, index=index.tz_convert("UTC").rename("ts_utc"))
    hourly = pd.Series(wave, index=frame.index).groupby(pd.DatetimeIndex(frame.index).floor("h"))
    frame["da_price_usd_per_mwh"] = 10 + hourly.transform("mean") / 100
    return BaseSeries(frame, INTERVAL.total_seconds())


@pytest.fixture(scope="module")
def learnt() -> Outlook:
    return fit_outlook([series(20)], site_tz=TZ)


def courses(
    learnt: Outlook, steps: int, memory: float = MEMORY
) -> Iterator[tuple[Course, np.ndarray, np.ndarray]]:
    """On days not learnt: a course, and what the bare outlook says and what came from its first level on."""
    frame = series(26, seed=2, memory=memory).frame
    levels = frame["net_load_kw"].to_numpy()
    times = pd.DatetimeIndex(frame.index).to_pydatetime().tolist()
    prices = dict(zip(times, frame["da_price_usd_per_mwh"].tolist(), strict=True))
    for now in range(20 * DAY, len(levels) - steps, 7):
        course = learnt.course(levels[now - learnt.looks_back : now].tolist(), times[now], steps, prices)
        assert course is not None
        bare = np.array(learnt.levels_kw(times[now] - INTERVAL, steps + 1, prices))
        yield course, bare, levels[now - 1 : now + steps]


def judged(learnt: Outlook, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors of the course and of the bare outlook's shape, and the course's sigmas, on days not learnt."""
    rows = [
        (course.levels_kw[-1] - came[-1], came[0] + bare[-1] - bare[0] - came[-1], course.sigma_kw[-1])
        for course, bare, came in courses(learnt, steps)
    ]
    ours, bare_errors, sigmas = np.array(rows).T
    return ours, bare_errors, sigmas


def test_a_course_begins_with_what_was_measured(learnt: Outlook) -> None:
    now = datetime(2024, 2, 1, 12, tzinfo=UTC)
    course = learnt.course([4_000.0, 4_100.0, 4_321.0], now, 8, {})
    assert course is not None
    assert course.levels_kw[0] == 4_321.0
    assert (len(course.levels_kw), len(course.sigma_kw)) == (9, 8)


def test_the_distance_from_the_outlook_fades_as_it_did_in_the_past(learnt: Outlook) -> None:
    ours, bare, _ = judged(learnt, 16)
    assert np.sqrt(np.mean(ours**2)) < 0.93 * np.sqrt(np.mean(bare**2))


def test_sigma_says_how_wrong_thirty_minutes_are(learnt: Outlook) -> None:
    error, _, sigma = judged(learnt, 2)
    assert np.mean(np.abs(error) < 1.2816 * sigma) == pytest.approx(0.8, abs=0.08)


def test_sigma_says_how_wrong_a_later_half_hour_is() -> None:
    window, fickle = 2, 0.3
    learnt = fit_outlook([series(20, memory=fickle)], site_tz=TZ)
    inside = []
    for course, _, came in courses(learnt, 16, fickle):
        told = course.levels_kw[-1] - course.levels_kw[-1 - window]
        inside.append(abs(told - (came[-1] - came[-1 - window])) < 1.2816 * course.sigma_kw[-1])
    assert np.mean(inside) == pytest.approx(0.8, abs=0.06)


def test_hours_that_were_harder_to_tell_have_a_larger_sigma() -> None:
    learnt = fit_outlook([series(20, noisy_from_hour=12)], site_tz=TZ)
    assert learnt.correction is not None
    factor = np.array(learnt.correction.slot_factor)
    assert factor[56:88].min() > 1.3 * factor[8:40].max()


def test_a_level_does_not_depend_on_how_far_the_course_reaches(learnt: Outlook) -> None:
    now = datetime(2024, 2, 1, 12, tzinfo=UTC)
    longest, shorter = (learnt.course([4_000.0] * 5, now, steps, {}) for steps in (40, 7))
    assert longest is not None
    assert shorter is not None
    assert longest.levels_kw[:8].tolist() == shorter.levels_kw.tolist()
    assert longest.sigma_kw[:7].tolist() == shorter.sigma_kw.tolist()


def test_a_missing_newest_value_gives_no_course_and_an_older_gap_is_no_distance(learnt: Outlook) -> None:
    now = datetime(2024, 2, 1, 12, tzinfo=UTC)
    assert learnt.course([4_000.0, None], now, 4, {}) is None
    assert learnt.course([], now, 4, {}) is None
    gap = learnt.course([None, None, 4_000.0], now, 4, {})
    assert gap is not None
    assert np.isfinite(gap.levels_kw).all()


def test_a_single_day_teaches_no_correction() -> None:
    assert fit_outlook([series(1)], site_tz=TZ).correction is None


def test_a_correction_rests_on_no_value_after_now() -> None:
    whole = series(20).frame
    now = 10 * DAY + 40
    seen = whole["net_load_kw"].tolist()[now - 5 : now]
    times = pd.DatetimeIndex(whole.index).to_pydatetime().tolist()
    early = fit_outlook([BaseSeries(whole.iloc[:now], 900.0)], site_tz=TZ)
    changed = whole.copy()
    changed.iloc[now:, 0] *= 3.0
    late = fit_outlook([BaseSeries(changed.iloc[:now], 900.0)], site_tz=TZ)
    first, second = (outlook.course(seen, times[now], 40, {}) for outlook in (early, late))
    assert first is not None
    assert second is not None
    assert first.levels_kw.tolist() == second.levels_kw.tolist()


def test_the_typical_day_is_refreshed_and_what_was_learnt_stays(learnt: Outlook) -> None:
    days = days_of(series(10), 700.0)
    fresh = learnt.refreshed(days)
    assert np.mean(fresh.profile_kw) == pytest.approx(np.mean(learnt.profile_kw) + 700.0, abs=60.0)
    assert (fresh.correction, fresh.price_level_kw) == (learnt.correction, learnt.price_level_kw)


def test_too_few_days_or_empty_ones_refresh_nothing(learnt: Outlook) -> None:
    days = days_of(series(10), 700.0)
    empty = [(at_s, np.full(len(level_kw), np.nan)) for at_s, level_kw in days[4:]]
    assert learnt.refreshed([*days[:4], *empty]) is learnt


def days_of(past: BaseSeries, more_kw: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Starts and net load of each day."""
    at_s = pd.DatetimeIndex(past.frame.index).as_unit("s").asi8.astype(np.float64)
    level_kw = past.frame["net_load_kw"].to_numpy() + more_kw
    return list(zip(at_s.reshape(-1, DAY), level_kw.reshape(-1, DAY), strict=True))


def test_weights_of_a_path_that_is_always_right_follow_it() -> None:
    rng = np.random.default_rng(5)
    days = []
    for _ in range(12):
        path = 1_000.0 * np.sin(np.arange(DAY) / DAY * 6.28 * rng.uniform(0.5, 2.0))
        typical = np.zeros(DAY)
        days.append(PastDay(Paths(path, path, typical), path + rng.normal(0.0, 300.0), np.arange(DAY)))
    correction = fit_correction(days, 900.0, 2)
    assert isinstance(correction, Correction)
    line = np.linspace(0.0, 90.0, 13)
    ahead = correction.levels_kw(np.full(3, 500.0), Paths(line, line, np.zeros(13)), 10)
    assert ahead == pytest.approx(500.0 + line[3:] - 15.0, abs=10.0)
