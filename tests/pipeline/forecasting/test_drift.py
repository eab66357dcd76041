"""The drift monitor: what it promises of any site, when it speaks up, and when it falls silent again."""

import gc
import math
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from weakref import ref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.forecast import Forecast
from pipeline.forecasting.drift import FACTORS, DriftMonitor, DriftReport
from pipeline.forecasting.drift_report import StoredDrift
from pipeline.forecasting.followed_drift import followed_drift
from pipeline.sqlite_store import SqliteStore

QUARTER_US = 900_000_000
HORIZON_US = 2 * QUARTER_US
START = datetime(2024, 5, 1, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
DAY = 96


def monitor(sites: int = 1, cadence_us: int = QUARTER_US) -> DriftMonitor:
    return DriftMonitor(horizon_us=HORIZON_US, tolerance_us=cadence_us // 2, sites=sites)


class Site:
    """Feeds one site's row with forecasts whose error in kW is given; half of the band is 10 kW wide."""

    def __init__(self, judge: DriftMonitor | None = None, row: int = 0, seed: int = 1) -> None:
        self.judge, self.row = judge or monitor(), row
        self.place = 0
        noise = np.random.default_rng(seed)
        self.net_kw = 100.0 * np.sin(np.arange(40 * DAY) / 5.0) + noise.normal(0.0, 1.0, 40 * DAY)

    def step(self, error_kw: float, reference_error_kw: float = 50.0) -> DriftReport:
        change_kw = self.net_kw[self.place + 2] - self.net_kw[self.place]
        median_kw = change_kw - error_kw
        self.judge.step(
            np.array([self.row]),
            np.array([START_US + self.place * QUARTER_US]),
            self.net_kw[self.place : self.place + 1],
            np.array([[median_kw - 10.0, median_kw, median_kw + 10.0]]),
            np.array([change_kw - reference_error_kw]),
        )
        self.place += 1
        return self.judge.report(self.row)

    def feed(self, errors_kw: Sequence[float], reference_error_kw: float = 50.0) -> DriftReport:
        for error_kw in errors_kw:
            report = self.step(error_kw, reference_error_kw)
        return report


def errors(days: float, inside: float, far_kw: float = 15.0) -> list[float]:
    """Errors of which a share lies inside the band, evenly spread in time."""
    count = round(days * DAY)
    held = np.floor(np.arange(1, count + 1) * inside) > np.floor(np.arange(count) * inside)
    return [4.0 if inside_it else far_kw for inside_it in held]


def test_a_sound_model_is_left_alone_and_its_figures_are_those_of_its_errors() -> None:
    report = Site().feed(errors(10, inside=0.8))
    assert not report.degraded
    assert (report.factor, report.reasons, report.since_us) == (1.0, (), None)
    assert report.coverage == pytest.approx(0.8, abs=0.01)
    assert report.skill_drift == pytest.approx(1.0 - (0.8 * 4.0 + 0.2 * 15.0) / 50.0, abs=0.01)
    assert 0.5 < report.skill_persistence < 1.0
    assert report.weight == pytest.approx(96 * 2 / math.log(2), rel=0.05)


def test_a_band_that_holds_too_little_is_widened_to_what_would_have_held_enough() -> None:
    site = Site()
    site.feed(errors(5, inside=0.8))
    report = site.feed(errors(2, inside=0.3))
    assert report.degraded
    assert report.factor == 1.5  # 15 kW off a half width of 10 kW
    assert "the band holds" in report.reasons[0]
    assert report.since_us is not None
    lost_after_days = (report.since_us - START_US) / QUARTER_US / DAY - 5
    assert 0.3 < lost_after_days < 1.6


def test_widening_does_not_hide_what_it_mends_and_ends_when_the_model_is_sound_again() -> None:
    site = Site()
    site.feed(errors(8, inside=0.3))
    assert site.feed(errors(8, inside=0.3)).degraded  # widened for a week, and still said so
    recovered = site.feed(errors(8, inside=0.8))
    assert not recovered.degraded
    assert recovered.factor == 1.0


def test_errors_beyond_every_step_widen_as_far_as_there_are_steps() -> None:
    assert Site().feed(errors(4, inside=0.0, far_kw=400.0), reference_error_kw=500.0).factor == FACTORS[-1]


def test_no_verdict_before_a_day_of_forecasts() -> None:
    site = Site()
    assert not site.feed(errors(0.97, inside=0.0)).degraded
    assert site.feed(errors(0.3, inside=0.0)).degraded


def test_a_model_no_better_than_the_same_time_of_past_days_is_degraded_though_its_band_holds() -> None:
    report = Site().feed([5.0] * 3 * DAY, reference_error_kw=4.0)
    assert report.coverage == 1.0
    assert report.degraded
    assert report.factor == 1.0
    assert "skill" in report.reasons[0]
    assert "-0.25 against the same time" in report.reasons[0]


def test_where_past_days_are_not_known_persistence_alone_is_the_measure() -> None:
    sound, lost = Site(), Site()
    report = sound.feed([5.0] * 3 * DAY, reference_error_kw=float("nan"))
    assert math.isnan(report.skill_drift)
    assert not report.degraded
    assert lost.feed([300.0] * 3 * DAY, reference_error_kw=float("nan")).skill_persistence < 0
    assert lost.judge.report(0).degraded


@pytest.mark.parametrize(("inside", "lost"), [(0.64, True), (0.69, False)])
def test_between_the_thresholds_a_site_stays_what_it_was(inside: float, lost: bool) -> None:
    site = Site()
    site.feed(errors(4, inside=0.9))
    assert site.feed(errors(9, inside=inside)).degraded == lost
    back = Site()
    assert back.feed(errors(4, inside=0.2)).degraded
    assert back.feed(errors(9, inside=0.69)).degraded  # above what loses, below what regains


def test_a_target_that_never_came_does_not_count() -> None:
    site = Site()
    site.feed(errors(2, inside=1.0))
    before = site.judge.report(0).weight
    site.place += 3 * DAY  # silence
    after = site.feed(errors(1.0, inside=1.0))
    assert after.weight == pytest.approx(before * 0.5**1.5 * 0.5**0.5 + DAY * 0.84, rel=0.03)


def test_at_most_one_forecast_a_quarter_of_an_hour_counts() -> None:
    judge = monitor(cadence_us=5_000_000)
    for place in range(3 * 720):
        stamp = np.array([START_US + place * 5_000_000])
        judge.step(np.array([0]), stamp, np.zeros(1), np.array([[-1.0, 0.0, 1.0]]), np.zeros(1))
    assert judge.report(0).weight == pytest.approx(3 * 4 - 2, rel=0.02)


def test_an_observation_without_a_forecast_still_tells_what_became_of_earlier_ones() -> None:
    judge = monitor()
    band, none = np.array([[-1.0, 0.0, 1.0]]), np.full((1, 3), np.nan)
    for place in range(8):
        given_kw = band if place < 2 else none
        stamp = np.array([START_US + place * QUARTER_US])
        judge.step(np.array([0]), stamp, np.zeros(1), given_kw, np.zeros(1))
    assert judge.report(0).weight == pytest.approx(2.0, rel=0.01)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_a_sites_verdict_rests_on_its_own_steps_in_any_batching(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=4))
    seeds = [data.draw(st.integers(0, 999)) for _ in counts]
    alone = [Site(seed=seed) for seed in seeds]
    for site, count in zip(alone, counts, strict=True):
        site.feed(np.random.default_rng(count).normal(0.0, 20.0, count).tolist() or [0.0])
    shared = monitor(sites=0)
    shared.grow(len(counts))
    sites = [Site(shared, row, seed) for row, seed in enumerate(seeds)]
    order = data.draw(
        st.permutations([row for row, count in enumerate(counts) for _ in range(max(count, 1))])
    )
    wanted = [np.random.default_rng(count).normal(0.0, 20.0, count).tolist() or [0.0] for count in counts]
    for row in order:
        sites[row].step(wanted[row][sites[row].place])
    for row, site in enumerate(alone):
        np.testing.assert_equal(asdict(shared.report(row)), asdict(site.judge.report(0)))


@settings(max_examples=8, deadline=None)
@given(st.integers(1, 5), st.integers(0, 999))
def test_many_sites_in_one_step_are_as_one_after_the_other(sites: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    together, apart = monitor(sites=sites), monitor(sites=sites)
    for place in range(160):
        rows = np.flatnonzero(rng.random(sites) < 0.8)
        stamps = START_US + place * QUARTER_US + rng.integers(-200_000_000, 200_000_000, len(rows))
        net_kw = rng.normal(0.0, 30.0, len(rows))
        median_kw = rng.normal(0.0, 30.0, len(rows))
        width_kw = rng.exponential(5.0, len(rows))
        bands = np.column_stack([median_kw - width_kw, median_kw, median_kw + 2 * width_kw])
        reference_kw = np.where(rng.random(len(rows)) < 0.2, np.nan, rng.normal(0.0, 30.0, len(rows)))
        together.step(rows, stamps, net_kw, bands, reference_kw)
        for at in rng.permutation(len(rows)):
            one = slice(at, at + 1)
            apart.step(rows[one], stamps[one], net_kw[one], bands[one], reference_kw[one])
    for row in range(sites):
        report = together.report(row)
        np.testing.assert_equal(asdict(report), asdict(apart.report(row)))
        assert report.factor in FACTORS
        assert math.isnan(report.coverage) or 0.0 <= report.coverage <= 1.0
        assert report.degraded == bool(report.reasons) == (report.since_us is not None)


@settings(max_examples=8, deadline=None)
@given(st.floats(0.01, 1e6), st.integers(0, 999))
def test_the_verdict_does_not_depend_on_the_size_of_the_site(scale: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = monitor(), monitor()
    for place in range(150):
        net_kw, median_kw, width_kw = rng.normal(0.0, 30.0, 3)
        band = np.array([[median_kw - abs(width_kw), median_kw, median_kw + abs(width_kw)]])
        stamp = np.array([START_US + place * QUARTER_US])
        for judge, by in ((one, 1.0), (other, scale)):
            judge.step(np.array([0]), stamp, np.array([net_kw * by]), band * by, np.array([5.0 * by]))
    found, expected = other.report(0), one.report(0)
    assert (found.degraded, found.factor, found.coverage) == (
        expected.degraded,
        expected.factor,
        expected.coverage,
    )
    assert found.skill_persistence == pytest.approx(expected.skill_persistence, rel=1e-6, abs=1e-6)


def test_another_model_is_judged_by_its_own_forecasts_alone(tmp_path: Path) -> None:
    judge = Site()
    assert judge.feed(errors(4, inside=0.0)).degraded
    judge.judge.forget()
    np.testing.assert_equal(asdict(judge.judge.report(0)), asdict(monitor().report(0)))
    with SqliteStore(tmp_path / "t.db") as store:
        stored(store, 4, error_kw=13.0)
        stored(store, 8, error_kw=4.0, model="better", first_day=4)
        follower = StoredDrift("a", cadence_s=900.0)
        assert follower.report(store, START + timedelta(days=4)).degraded
        report = follower.report(store, START + timedelta(days=8))
        assert (report.degraded, report.coverage) == (False, 1.0)
        assert StoredDrift("a", cadence_s=900.0).report(store, START + timedelta(days=8)) == report


def stored(
    store: SqliteStore,
    days: int,
    error_kw: float,
    *,
    model: str = "m",
    first_day: int = 0,
) -> np.ndarray:
    """Forecasts of a made-up site with a given error."""
    rng = np.random.default_rng(3)
    daily = 100.0 * np.sin(2 * np.pi * np.arange(days * DAY + 2) / DAY)
    net_kw = daily + rng.normal(0.0, 5.0, days * DAY + 2)
    made = []
    for place in range(first_day * DAY, days * DAY):
        median_kw = net_kw[place + 2] - net_kw[place] - error_kw
        issued_at = START + place * timedelta(minutes=15)
        made.append(
            Forecast(
                "a",
                issued_at,
                issued_at + timedelta(minutes=30),
                net_kw[place],
                median_kw - 10.0,
                median_kw,
                median_kw + 10.0,
                model,
            )
        )
    store.write([], made)
    return net_kw


def test_the_store_tells_the_same_as_the_stream_and_only_what_is_new_is_read_again(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "t.db") as store:
        net_kw = stored(store, 6, error_kw=13.0)
        judge = monitor()
        for place in range(6 * DAY):
            past = [
                net_kw[place - day * DAY + 2] - net_kw[place - day * DAY]
                for day in range(1, 8)
                if place >= day * DAY
            ]
            median_kw = net_kw[place + 2] - net_kw[place] - 13.0
            judge.step(
                np.array([0]),
                np.array([START_US + place * QUARTER_US]),
                net_kw[place : place + 1],
                np.array([[median_kw - 10.0, median_kw, median_kw + 10.0]]),
                np.array([sum(past) / len(past) if past else math.nan]),
            )
        expected = judge.report(0)
        at_once = StoredDrift("a", cadence_s=900.0).report(store, START + timedelta(days=6))
        in_steps = StoredDrift("a", cadence_s=900.0)
        for hours in range(0, 6 * 24 + 1, 5):
            in_steps.report(store, START + timedelta(hours=hours))
        assert at_once == expected
        assert in_steps.report(store, START + timedelta(days=6)) == expected
        assert expected.degraded


def test_a_store_without_forecasts_has_no_verdict(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "t.db") as store:
        report = StoredDrift("a", cadence_s=900.0).report(store, START)
        assert not report.degraded
        assert report.weight == 0.0
        assert math.isnan(report.coverage)


def test_what_was_missed_because_it_was_written_late_is_read_the_next_time(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "t.db") as store:
        follower, now = StoredDrift("a", cadence_s=900.0), START + timedelta(days=3)
        follower.report(store, now)
        stored(store, 3, error_kw=4.0)
        assert follower.report(store, now).weight > 150.0


def test_a_models_decay_and_its_end_are_logged_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with SqliteStore(tmp_path / "t.db") as store:
        stored(store, 4, error_kw=13.0)
        stored(store, 8, error_kw=4.0, model="better", first_day=4)
        followed = followed_drift(store)
        assert followed is followed_drift(store)
        for hours in range(24 * 4, 24 * 8, 6):
            followed.report("a", 900.0, START + timedelta(hours=hours))
    assert [record.getMessage().split(" (")[0] for record in caplog.records] == [
        "site a: the forecast is degraded",
        "site a: the forecast holds again",
    ]


def test_following_a_store_does_not_keep_it_alive(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "t.db")
    followed_drift(store).report("a", 900.0, START)
    store.close()
    kept = ref(store)
    del store
    gc.collect()
    assert kept() is None
