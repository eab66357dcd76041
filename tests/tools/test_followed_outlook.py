"""What is typical of the time of day follows the last two weeks in the store."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from grid.telemetry import NATIVE_SITE, Telemetry
from pipeline.outlook import Outlook
from pipeline.sqlite_store import SqliteStore
from tools.as_of import AsOfReader
from tools.followed_outlook import FollowedOutlook, followed_outlook

TZ = "America/Chicago"
INTERVAL = timedelta(minutes=15)
LEARNT = Outlook(TZ, INTERVAL.total_seconds(), (100.0,) * 96)
TODAY = datetime(2024, 5, 20, tzinfo=ZoneInfo(TZ)).astimezone(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "telemetry.db") as made:
        yield made


def measure(store: SqliteStore, start: datetime, level_kw: float, every: timedelta = INTERVAL) -> None:
    """A day of one level, and one kW more in the afternoon."""
    stamps = [start + k * every for k in range(round(DAY / every))]
    store.write(
        [Telemetry(NATIVE_SITE, stamp, net_load_kw=level_kw + (stamp - start >= DAY / 2)) for stamp in stamps]
    )


def test_the_typical_day_is_the_mean_of_the_last_two_weeks(store: SqliteStore) -> None:
    for back in range(1, 21):
        measure(store, TODAY - back * DAY, 200.0 if back <= 14 else 900.0)
    profile = FollowedOutlook(LEARNT, store).at(TODAY + timedelta(hours=3)).profile_kw
    assert profile == pytest.approx((200.0,) * 48 + (201.0,) * 48)


def test_a_day_counts_from_the_midnight_on_that_ends_it(store: SqliteStore) -> None:
    for back in range(1, 6):
        measure(store, TODAY - back * DAY, 200.0)
    followed = FollowedOutlook(LEARNT, store)
    before = followed.at(TODAY)
    measure(store, TODAY, 800.0)
    assert followed.at(TODAY + DAY - INTERVAL) is before
    assert followed.at(TODAY + DAY).profile_kw[0] == pytest.approx((5 * 200.0 + 800.0) / 6)


def test_fewer_than_five_known_days_leave_what_was_learnt(store: SqliteStore) -> None:
    for back in (1, 2, 9, 14, 15, 16):
        measure(store, TODAY - back * DAY, 200.0)
    assert FollowedOutlook(LEARNT, store).at(TODAY) is LEARNT


def test_fast_pulses_are_taken_up_a_day_a_question(store: SqliteStore) -> None:
    for back in range(1, 7):
        measure(store, TODAY - back * DAY, 200.0 + back, timedelta(seconds=5))
    followed = FollowedOutlook(LEARNT, store)
    first = [followed.at(TODAY).profile_kw[0] for _ in range(6)]
    assert first == pytest.approx([100.0] * 4 + [203.0, 203.5])
    assert followed.at(TODAY) is followed.at(TODAY)


def test_days_of_23_and_25_hours_keep_the_clock_on_the_wall(store: SqliteStore) -> None:
    autumn = datetime(2024, 11, 8, tzinfo=ZoneInfo(TZ)).astimezone(UTC)  # the clock went back on the 3rd
    stamps = [autumn - 10 * DAY + k * INTERVAL for k in range(10 * 96)]
    at_noon = [stamp.astimezone(ZoneInfo(TZ)).hour == 12 for stamp in stamps]
    pairs = zip(stamps, at_noon, strict=True)
    store.write([Telemetry(NATIVE_SITE, stamp, net_load_kw=500.0 * noon) for stamp, noon in pairs])
    profile = np.array(FollowedOutlook(LEARNT, store).at(autumn).profile_kw)
    assert np.flatnonzero(profile > 0.0).tolist() == [48, 49, 50, 51]
    assert profile.max() == 500.0


def test_an_earlier_day_is_told_from_the_days_before_it_alone(store: SqliteStore) -> None:
    for back in range(1, 25):
        measure(store, TODAY - back * DAY, 1_000.0 - back)
    followed = FollowedOutlook(LEARNT, store)
    newest = followed.at(TODAY).profile_kw
    assert followed.at(TODAY - 5 * DAY).profile_kw[0] == pytest.approx(1_000.0 - np.mean(range(6, 20)))
    assert followed.at(TODAY).profile_kw == newest


def test_what_was_known_earlier_is_told_by_the_stores_own_follower(store: SqliteStore) -> None:
    assert followed_outlook(LEARNT, AsOfReader(store, TODAY, {})) is followed_outlook(LEARNT, store)


def test_a_store_has_one_follower_until_another_outlook_is_learnt(store: SqliteStore) -> None:
    first = followed_outlook(LEARNT, store)
    assert followed_outlook(LEARNT, store) is first
    assert followed_outlook(Outlook(TZ, 900.0, (1.0,) * 96), store) is not first
