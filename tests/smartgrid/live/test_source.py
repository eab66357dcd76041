"""What becomes of an operator's rows: sent once, late ones told, revised ones told, nothing made up."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.telemetry import Telemetry
from smartgrid.live.areas import AREAS, Area, Feed, area_named
from smartgrid.live.errors import AwayError, LiveError, StoppedError, UnknownAreaError
from smartgrid.live.journal import Journal
from smartgrid.live.publishing import run_live
from smartgrid.live.readings import Remark
from smartgrid.live.source import LiveSource, Poll

NOON = datetime(2019, 6, 17, 19, 0, tzinfo=UTC)
"""Noon in California."""
FIVE = timedelta(minutes=5)
Table = dict[tuple[str, datetime], list[float | None]]


class Operator:
    """Publishes a table of (feed, start) → values."""

    def __init__(self, area: str = "CAISO") -> None:
        self.table: Table = {}
        self.away: set[str] = set()
        self.source = LiveSource(AREAS[area], "my-site", self.ask, Random(1))

    def ask(self, area: Area, feed: Feed, day: date) -> list[list[object]]:
        if feed.name in self.away:
            raise AwayError("timed out")
        return [
            [start.isoformat(), *values]
            for (name, start), values in self.table.items()
            if name == feed.name and (not feed.by_day or start.astimezone(area.zone).date() == day)
        ]

    def publish(
        self,
        start: datetime,
        load: float | None = None,
        mix: tuple[float | None, float | None] | None = None,
        price: float | None = None,
    ) -> None:
        if load is not None:
            self.table["load", start] = [load]
        if mix is not None:
            self.table["mix", start] = [*mix]
        if price is not None:
            self.table["price", start] = [price]

    def whole(self, start: datetime, load: float = 25_000.0) -> None:
        self.publish(start, load, (8_000.0, 3_000.0), 31.5)


def kinds(poll: Poll) -> list[str]:
    return [remark.kind for remark in poll.remarks]


def after(intervals: int) -> datetime:
    """A minute after the end of so many intervals: whatever is published then is out."""
    return NOON + intervals * FIVE + timedelta(minutes=1)


def test_an_interval_is_sent_once_in_kw_with_its_net_load_and_prices() -> None:
    operator = Operator()
    operator.whole(NOON)
    operator.table["da_price", NOON] = [28.25]
    (pulse,) = operator.source.poll(after(1)).pulses
    assert pulse == Telemetry("my-site", NOON, 25e6, 8e6, 3e6, 14e6, 31.5, 28.25)
    operator.whole(NOON + FIVE)
    (pulse,) = operator.source.poll(after(2)).pulses
    assert (pulse.ts_utc, pulse.da_price_usd_per_mwh) == (NOON + FIVE, 28.25)
    assert operator.source.poll(after(3)).pulses == []


def test_where_an_area_has_no_solar_of_its_own_net_load_is_load_minus_wind() -> None:
    operator = Operator("NYISO")
    operator.table["load", NOON] = [18_000.0]
    operator.table["mix", NOON] = [700.0]
    operator.table["price", NOON] = [40.0]
    (pulse,) = operator.source.poll(after(1)).pulses
    assert pulse == Telemetry("my-site", NOON, 18e6, None, 0.7e6, 17.3e6, 40.0)


def test_what_is_not_over_yet_is_not_sent() -> None:
    operator = Operator()
    operator.whole(NOON + FIVE)
    assert operator.source.poll(NOON + timedelta(minutes=4)).pulses == []
    assert len(operator.source.poll(after(2)).pulses) == 1


@pytest.mark.parametrize(
    ("absent", "wait"), [("price", timedelta(minutes=10)), ("mix", timedelta(minutes=30)), ("load", None)]
)
def test_what_does_not_come_is_waited_for_and_then_missing_and_without_load_nothing_is_sent(
    absent: str, wait: timedelta | None
) -> None:
    operator = Operator()
    operator.whole(NOON)
    del operator.table[absent, NOON]
    last = NOON + FIVE + (wait or timedelta(hours=6)) - timedelta(seconds=1)
    assert operator.source.poll(last).pulses == []
    got = operator.source.poll(last + FIVE).pulses
    if wait is None:
        assert got == []
    else:
        (pulse,) = got
        assert (pulse.price_usd_per_mwh is None) == (absent == "price")
        assert (pulse.solar_kw is None, pulse.net_load_kw is None) == (absent == "mix", absent == "mix")
        assert pulse.load_kw == 25e6


def test_an_interval_is_kept_while_a_feed_of_its_net_load_cannot_be_read() -> None:
    operator = Operator()
    operator.whole(NOON)
    operator.away = {"mix"}
    for hours in range(1, 7):
        assert operator.source.poll(NOON + timedelta(hours=hours)).pulses == []
    operator.away.clear()
    (pulse,) = operator.source.poll(NOON + timedelta(hours=7)).pulses
    assert pulse.net_load_kw == 14e6


def test_a_late_interval_is_sent_and_told() -> None:
    operator = Operator()
    operator.whole(NOON + FIVE)
    assert kinds(operator.source.poll(after(2))) == []
    operator.whole(NOON)
    poll = operator.source.poll(after(3))
    assert [pulse.ts_utc for pulse in poll.pulses] == [NOON]
    assert poll.remarks == [Remark("late", NOON)]


def test_a_revised_value_is_told_once_with_both_values_and_not_sent() -> None:
    operator = Operator()
    operator.whole(NOON)
    operator.source.poll(after(1))
    operator.whole(NOON, load=25_040.0)
    poll = operator.source.poll(after(2))
    assert poll.pulses == []
    assert poll.remarks == [Remark("revised", NOON, "load_mw", old=25_000.0, new=25_040.0)]
    assert operator.source.poll(after(3)).remarks == []
    operator.whole(NOON, load=25_100.0)
    again = operator.source.poll(after(4))
    assert again.remarks == [Remark("revised", NOON, "load_mw", old=25_000.0, new=25_100.0)]


def test_a_value_that_comes_after_its_interval_was_sent_without_it_is_a_revision_too() -> None:
    operator = Operator()
    operator.publish(NOON, 25_000.0, (8_000.0, 3_000.0))
    assert len(operator.source.poll(NOON + FIVE + timedelta(minutes=10)).pulses) == 1
    operator.publish(NOON, price=29.0)
    poll = operator.source.poll(NOON + FIVE + timedelta(minutes=20))
    assert poll.pulses == []
    assert poll.remarks == [Remark("revised", NOON, "price_usd_per_mwh", old=None, new=29.0)]


def test_a_value_that_the_operator_takes_back_before_it_was_sent_is_missing() -> None:
    operator = Operator()
    operator.publish(NOON, 25_000.0, (8_000.0, 3_000.0))
    operator.source.poll(after(1))
    operator.publish(NOON, mix=(None, 3_000.0), price=30.0)
    (pulse,) = operator.source.poll(NOON + timedelta(hours=1)).pulses
    assert (pulse.solar_kw, pulse.net_load_kw) == (None, None)


def test_an_impossible_value_is_never_sent_and_its_interval_waits_for_a_true_one() -> None:
    operator = Operator()
    operator.whole(NOON, load=-3.0)
    poll = operator.source.poll(after(1))
    assert (poll.pulses, poll.remarks) == ([], [Remark("refused", NOON, "load_mw", new=-3.0)])
    operator.whole(NOON)
    assert [pulse.load_kw for pulse in operator.source.poll(after(2)).pulses] == [25e6]


def test_an_answer_of_another_day_is_left_alone_and_said() -> None:
    operator = Operator("ERCOT")
    operator.table["load", NOON - timedelta(days=3)] = [40_000.0]
    operator.table["mix", NOON - timedelta(days=3)] = [1_000.0, 9_000.0]
    poll = operator.source.poll(NOON)
    assert poll.pulses == []
    assert any("2019-06-14" in problem and "left alone" in problem for problem in poll.problems)


def test_yesterdays_last_intervals_still_come_after_midnight_and_its_first_ones_do_not() -> None:
    operator = Operator()
    midnight = datetime(2019, 6, 18, 7, 0, tzinfo=UTC)
    operator.whole(midnight - FIVE)
    operator.whole(midnight - timedelta(hours=23))
    got = operator.source.poll(midnight + timedelta(minutes=3)).pulses
    assert [pulse.ts_utc for pulse in got] == [midnight - FIVE]


def test_an_outage_over_midnight_loses_nothing() -> None:
    operator = Operator()
    evening = datetime(2019, 6, 18, 4, 0, tzinfo=UTC)
    starts = [evening + i * FIVE for i in range(12 * 6)]
    operator.whole(starts[0])
    assert len(operator.source.poll(starts[0] + FIVE).pulses) == 1
    for start in starts:
        operator.whole(start)
    got = operator.source.poll(starts[-1] + timedelta(minutes=6)).pulses
    assert [pulse.ts_utc for pulse in got] == starts[1:]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 11),
            st.sampled_from(["load", "mix", "price", "away", "back"]),
            st.one_of(st.none(), st.floats(-9e4, 9e4), st.just(float("inf"))),
        ),
        max_size=60,
    )
)
def test_whatever_is_published_each_interval_is_sent_at_most_once_with_published_values(
    steps: list[tuple[int, str, float | None]],
) -> None:
    operator, now, sent = Operator(), after(0), list[Telemetry]()
    published: set[float | None] = {None}
    for slot, what, value in steps:
        start = NOON + slot * FIVE
        if what in ("away", "back"):
            operator.away = {"load"} if what == "away" else set()
        else:
            operator.table[what, start] = [value] * (2 if what == "mix" else 1)
            published |= {value, value if value is None else value * 1000.0}
        now += FIVE
        sent += operator.source.poll(now).pulses
    stamps = [pulse.ts_utc for pulse in sent]
    assert len(stamps) == len(set(stamps))
    for pulse in sent:
        assert pulse.load_kw is not None and 5e6 <= pulse.load_kw <= 90e6
        assert {pulse.load_kw, pulse.solar_kw, pulse.wind_kw, pulse.price_usd_per_mwh} <= published
        parts = (pulse.solar_kw, pulse.wind_kw)
        assert (pulse.net_load_kw is None) == (None in parts)


def test_the_journal_keeps_old_and_new_values_and_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "live" / "my-site.jsonl"
    revised = Remark("revised", NOON, "load_mw", 25_000.0, 25_040.0)
    Journal(path, "my-site").write([revised], NOON + FIVE)
    Journal(path, "my-site").write([], NOON + FIVE)
    Journal(path, "my-site").write([Remark("late", NOON)], NOON + 2 * FIVE)
    lines: list[Mapping[str, object]] = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [line["kind"] for line in lines] == ["revised", "late"]
    assert lines[0] == {
        "site": "my-site", "kind": "revised", "ts_utc": "2019-06-17T19:00:00+00:00", "channel": "load_mw",
        "old": 25_000.0, "new": 25_040.0, "seen_at": "2019-06-17T19:05:00+00:00",
    }  # fmt: skip


def test_a_journal_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "live").write_text("a file")
    with pytest.raises(LiveError, match="choose another --state"):
        Journal(tmp_path / "live" / "x.jsonl", "x").write([Remark("late", NOON)], NOON)


class Scripted:
    """Gives a round's poll, then is told to stop."""

    def __init__(self, polls: list[Poll], stopped: Event) -> None:
        self._polls = polls
        self._stopped = stopped

    def poll(self, _now: datetime) -> Poll:
        if not self._polls:
            self._stopped.set()
            raise StoppedError("told to stop")
        return self._polls.pop(0)

    def next_due(self) -> datetime:
        return NOON


def test_the_role_sends_tells_and_counts_until_it_is_told_to_stop(tmp_path: Path) -> None:
    pulse = Telemetry("my-site", NOON, load_kw=25e6)
    stopped, sent = Event(), list[Telemetry]()
    polls = [
        Poll([pulse], [Remark("late", NOON), Remark("refused", NOON, "load_mw", new=-1.0)]),
        Poll([], [Remark("revised", NOON, "load_mw", 1.0, 2.0)], ["no price"]),
    ]
    journal = Journal(tmp_path / "j.jsonl", "my-site")
    counts = run_live(Scripted(polls, stopped), sent.extend, journal, stopped, lambda: NOON)
    assert sent == [pulse]
    assert counts == {"published": 1, "late": 1, "revised": 1, "refused": 1}
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 3


def test_an_area_is_found_in_any_case_and_another_name_is_refused() -> None:
    assert area_named("caiso").name == "CAISO"
    with pytest.raises(UnknownAreaError, match="CAISO, ERCOT, NYISO"):
        area_named("MISO")
