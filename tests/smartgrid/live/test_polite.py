"""Operators are asked politely: by name, seldom, for what is new; and left alone when they ask for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smartgrid.live.areas import AREAS, Area, Feed
from smartgrid.live.backing_off import LONGEST_S, back_off_s
from smartgrid.live.errors import AnswerError, AwayError, ChangedAnswerError
from smartgrid.live.outside.iso_reader.turns import Turns
from smartgrid.live.reader import Reader
from smartgrid.live.source import LiveSource
from tests.smartgrid.live.operators import Answer, Operators
from tests.smartgrid.live.recorded import EASTERN, Caiso, Nyiso
from tests.smartgrid.live.test_broken_answers import DAY, ask, demand, made_up

NOON = datetime(2019, 6, 17, 19, 2, tzinfo=UTC)


def test_an_answer_that_did_not_change_is_not_sent_again(reader: Reader, operators: Operators) -> None:
    caiso = Caiso(made_up(DAY), now=NOON)
    operators.answers = caiso
    first = ask(reader, "CAISO", "load")
    while len({asked.address for asked in operators.asked}) < 2:  # CAISO's addresses carry the second
        assert ask(reader, "CAISO", "load") == first
    assert {asked.status for asked in operators.asked[1:]} == {304}
    caiso.now = NOON + timedelta(minutes=5)
    assert len(ask(reader, "CAISO", "load")) == len(first) + 1
    assert operators.asked[-1].status == 200


@pytest.mark.parametrize("away", [Answer(b"", status=503), Answer(b"Time," * 99, cut_to=9)])
def test_what_was_read_before_never_stands_in_for_an_answer_that_fails(
    away: Answer, reader: Reader, operators: Operators
) -> None:
    operators.answers = Caiso(made_up(DAY))
    ask(reader, "CAISO", "load")
    operators.answers = lambda _: away
    with pytest.raises(AwayError):
        ask(reader, "CAISO", "load")


def test_every_request_tells_who_asks_those_of_pandas_too(reader: Reader, operators: Operators) -> None:
    day = (datetime.now(EASTERN) - timedelta(days=2)).date()  # a file of its own, which pandas opens itself
    nyiso = Nyiso(day)
    operators.answers = lambda address: Answer(nyiso.mix()) if "rtfuelmix.csv" in address else nyiso(address)
    assert len(ask(reader, "NYISO", "mix", day)) == len(nyiso.ends())
    ask(reader, "NYISO", "load", day)
    schemes = {asked.address.split(":")[0] for asked in operators.asked}
    assert schemes == {"http", "https"}
    assert {asked.headers["User-Agent"].split("/")[0] for asked in operators.asked} == {"smartgrid-ai"}


def test_the_present_days_file_is_read_and_one_of_yesterday_is_taken_for_that(
    reader: Reader, operators: Operators
) -> None:
    now = datetime.now(AREAS["CAISO"].zone)
    whole_day = demand(*((f"{i // 12:02d}:{i % 12 * 5:02d}", 1, 1, 20_000 + i) for i in range(288)))
    operators.answers = lambda _: Answer(whole_day)
    starts = [datetime.fromisoformat(row[0]) for row in ask(reader, "CAISO", "load", now.date())]
    assert "/outlook/current/" in operators.asked[0].address
    assert max(starts) <= datetime.now(UTC)
    days = {start.astimezone(AREAS["CAISO"].zone).date() for start in starts}
    assert days in ({now.date()}, {now.date() - timedelta(days=1)})


def test_requests_to_one_host_keep_their_distance_and_others_do_not_wait() -> None:
    now_s, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now_s[0] += seconds

    turns = Turns(5.0, lambda: now_s[0], sleep)
    turns.wait("oasis.caiso.com")
    turns.wait("www.caiso.com")
    assert slept == []
    now_s[0] += 2.0
    turns.wait("oasis.caiso.com")
    assert slept == [3.0]
    now_s[0] += 60.0
    turns.wait("oasis.caiso.com")
    assert slept == [3.0]


class Operator:
    """Answers by a script, and notes when it was asked."""

    def __init__(self) -> None:
        self.now = NOON
        self.asked: list[tuple[datetime, str]] = []
        self.failing: dict[str, Callable[[], AnswerError]] = {}

    def ask(self, _area: Area, feed: Feed, _day: date) -> list[list[object]]:
        self.asked.append((self.now, feed.name))
        if feed.name in self.failing:
            raise self.failing[feed.name]()
        return [[self.now.replace(minute=0).isoformat(), *(20_000.0 for _ in feed.channels)]]

    def times(self, name: str) -> list[datetime]:
        return [at for at, feed in self.asked if feed == name]


@contextmanager
def running(operator: Operator, hours: float, area: str = "CAISO") -> Iterator[LiveSource]:
    source = LiveSource(AREAS[area], area.lower(), operator.ask, Random(1))
    end = operator.now + timedelta(hours=hours)
    while operator.now < end:
        source.poll(operator.now)
        operator.now = source.next_due()
    yield source


def test_no_feed_is_asked_more_often_than_it_is_published() -> None:
    operator = Operator()
    with running(operator, 6):
        for feed in AREAS["CAISO"].feeds:
            times = operator.times(feed.name)
            slots = [at.timestamp() // feed.every_s for at in times]
            assert len(times) == pytest.approx(6 * 3600 / feed.every_s, abs=1)
            assert len(set(slots)) == len(slots)


def test_an_operator_that_asks_for_a_pause_gets_it_and_the_other_feeds_go_on() -> None:
    operator = Operator()
    operator.failing["price"] = lambda: AwayError("429", retry_after_s=3000.0)
    with running(operator, 2):
        asked = operator.times("price")
        assert all(later - earlier >= timedelta(seconds=3000) for earlier, later in pairwise(asked))
        assert len(operator.times("load")) >= 23


def test_an_operator_that_is_away_is_asked_ever_less_often() -> None:
    operator = Operator()
    operator.failing["load"] = lambda: AwayError("timed out")
    with running(operator, 3):
        asked = operator.times("load")
        waits = [(later - earlier).total_seconds() for earlier, later in pairwise(asked)]
        assert waits[0] < 21
        assert all(LONGEST_S / 2 <= wait <= LONGEST_S for wait in waits[7:])


@pytest.mark.parametrize(("feed", "ends"), [("load", True), ("mix", True), ("price", False)])
def test_a_changed_layout_ends_the_role_if_net_load_needs_it_and_only_then(feed: str, ends: bool) -> None:
    operator = Operator()
    operator.failing[feed] = lambda: ChangedAnswerError("no column 'Load'")
    source = LiveSource(AREAS["CAISO"], "caiso", operator.ask, Random(1))
    end = operator.now + timedelta(minutes=29)
    while operator.now < end:
        source.poll(operator.now)
        operator.now = source.next_due()
    assert len(operator.times(feed)) == 7, "no sooner than a new answer can be there"
    if ends:
        with pytest.raises(ChangedAnswerError, match="no column"):
            source.poll(operator.now + timedelta(minutes=5))
    else:
        assert any("no column" in problem for problem in source.poll(operator.now).problems)


def test_one_answer_of_another_layout_is_forgotten_once_there_is_a_good_one() -> None:
    operator = Operator()
    source = LiveSource(AREAS["CAISO"], "caiso", operator.ask, Random(1))
    for _ in range(3):
        operator.failing["load"] = lambda: ChangedAnswerError("cut off")
        source.poll(operator.now)
        operator.failing.clear()
        source.poll(operator.now + timedelta(minutes=10))
        operator.now += timedelta(minutes=20)


@given(
    failures=st.integers(1, 10_000),
    asked_s=st.one_of(st.none(), st.floats(0, 1e6)),
    seed=st.integers(0, 99),
)
def test_a_wait_is_bounded_and_never_shorter_than_asked_for(
    failures: int, asked_s: float | None, seed: int
) -> None:
    wait_s = back_off_s(failures, asked_s, Random(seed))
    assert wait_s >= (asked_s or 0.0)
    assert 10.0 <= wait_s <= max(LONGEST_S, asked_s or 0.0)
