"""Which days ``bench day`` runs, and what each may learn from."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid.telemetry import NATIVE_SITE, Telemetry
from pipeline.sqlite_store import SqliteStore
from smartgrid.bench.day_sets import Job, recorded_sets
from smartgrid.day.preparation import Knowledge, prepare
from smartgrid.day.scenario import Scenario
from tools.followed_outlook import FollowedOutlook


def test_ercot_is_37_local_days_with_one_model_of_the_time_before_the_first(data_dir: Path) -> None:
    ercot = next(days for days in recorded_sets(data_dir) if days.name == "ERCOT")
    days = [job.day for job in ercot.jobs]
    assert days == [date(2020, 7, 1) + k * timedelta(days=10) for k in range(37)]
    assert days[-1] == date(2021, 6, 26)
    assert {job.train_until for job in ercot.jobs} == {date(2020, 7, 1)}
    assert {job.first_of_its_model() for job in ercot.jobs} == {
        Job(ercot.jobs[0].path, "America/Chicago", day=date(2020, 7, 1))
    }


@pytest.mark.parametrize("train_until", [None, date(2024, 4, 1)])
def test_a_day_learns_from_rows_before_it_or_before_the_given_date(train_until: date | None) -> None:
    job = Job("sample", "Europe/Luxembourg", day=date(2024, 4, 15), train_until=train_until)
    scenario = job.scenario()
    until = pd.Timestamp(train_until or date(2024, 4, 15), tz="Europe/Luxembourg")
    (training,) = scenario.training
    assert training.frame.index[-1] == until - pd.Timedelta(minutes=15)


def test_the_stream_sees_two_weeks_before_a_replayed_day(sample_day: Scenario) -> None:
    warm_up = sample_day.start - sample_day.series.frame.index[0]
    assert warm_up == timedelta(days=14)


def test_what_is_typical_comes_from_the_days_just_before_and_what_is_learnt_does_not(
    sample_day: Scenario, knowledge: Knowledge, tmp_path: Path
) -> None:
    learnt = prepare(sample_day, knowledge).knowledge.area.outlook
    assert learnt is not None
    level_kw = sample_day.series.frame["net_load_kw"]
    stamps = pd.DatetimeIndex(level_kw.index).to_pydatetime().tolist()
    pairs = zip(stamps, level_kw.tolist(), strict=True)
    with SqliteStore(tmp_path / "telemetry.db") as store:
        store.write([Telemetry(NATIVE_SITE, stamp, net_load_kw=kw) for stamp, kw in pairs])
        seen = FollowedOutlook(learnt, store).at(sample_day.start)
    assert seen.correction == learnt.correction
    before = level_kw[level_kw.index < sample_day.start]
    assert np.mean(seen.profile_kw) == pytest.approx(before.mean(), rel=0.01)
    assert np.mean(learnt.profile_kw) != pytest.approx(before.mean(), rel=0.01)


@pytest.fixture(scope="module")
def sample_day() -> Scenario:
    return Job("sample", "Europe/Luxembourg", day=date(2024, 4, 15), train_until=date(2024, 4, 1)).scenario()
