import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.telemetry import AREA_SITE, Telemetry
from tests.tools.small_grid import INTERVAL, SmallGrid, utc
from tools import query_history
from tools.contract import SiteInfo
from tools.errors import ToolInputError
from tools.query_history import MAX_ROWS

NOON = datetime(2024, 5, 4, 12, tzinfo=UTC)
STEP_S = {"raw": None, "1min": 60.0, "5min": 300.0, "15min": 900.0, "1h": 3600.0}


def test_rows_are_means_over_intervals_of_what_was_measured(grid: SmallGrid) -> None:
    at = grid.clock.now()
    grid.store.write(
        [
            Telemetry(AREA_SITE, at, 10.0, 1.0, None, 9.0, 40.0, None, 50.0),
            Telemetry(AREA_SITE, at + INTERVAL, 20.0, None, None, None, 60.0, None, 50.2),
            Telemetry(AREA_SITE, at + 3 * INTERVAL, 5.0, None, None, 5.0),
        ]
    )
    answer = grid.ask("query_history", start=at, end=at + timedelta(hours=1))
    first, second = answer.rows
    assert first.ts_utc == at
    assert (first.load_kw, first.solar_kw, first.wind_kw, first.net_load_kw) == (15.0, 1.0, None, 9.0)
    assert first.price_per_mwh == 50.0
    assert first.frequency_hz == pytest.approx(50.1)
    assert (second.ts_utc, second.load_kw, second.price_per_mwh) == (at + 3 * INTERVAL, 5.0, None)
    assert (answer.resolution, answer.currency, answer.next_start) == ("15min", "EUR", None)


def test_the_end_is_not_included_and_the_start_is(plant: SmallGrid) -> None:
    end = plant.newest().ts_utc
    answer = plant.ask("query_history", start=end - 2 * INTERVAL, end=end, resolution="raw")
    assert [row.ts_utc for row in answer.rows] == [end - 2 * INTERVAL, end - INTERVAL]


def test_a_span_without_measurements_has_no_rows(grid: SmallGrid) -> None:
    answer = grid.ask("query_history", start=NOON, end=NOON + timedelta(hours=1))
    assert (answer.rows, answer.next_start) == ([], None)


@pytest.mark.parametrize("end", ["2024-05-04T12:00:00Z", "2024-05-04T11:59:59Z", "2024-05-04T13:30:00+02:00"])
def test_an_end_that_is_not_after_the_start_is_refused_with_both(grid: SmallGrid, end: str) -> None:
    with pytest.raises(ToolInputError, match=r"end=.* is not after start=2024-05-04T12:00.*give a later end"):
        grid.ask("query_history", start="2024-05-04T12:00:00Z", end=end)


def test_an_unknown_site_is_refused(grid: SmallGrid) -> None:
    with pytest.raises(ToolInputError, match="site='b' is not known"):
        grid.ask("query_history", site="b", start=NOON, end=NOON + INTERVAL)


def test_at_most_500_rows_come_at_once_and_next_start_tells_where_to_go_on(grid: SmallGrid) -> None:
    pulses = [Telemetry(AREA_SITE, NOON + k * INTERVAL, net_load_kw=float(k)) for k in range(MAX_ROWS + 1)]
    grid.store.write(pulses)
    end = NOON + (MAX_ROWS + 1) * INTERVAL
    answer = grid.ask("query_history", start=NOON, end=end, resolution="5min")
    assert (len(answer.rows), answer.next_start) == (500, NOON + 500 * INTERVAL)
    rest = grid.ask("query_history", start=answer.next_start, end=end, resolution="5min")
    assert ([row.net_load_kw for row in rest.rows], rest.next_start) == ([500.0], None)


def test_paging_gets_on_even_where_one_row_takes_more_pulses_than_a_call_reads(grid: SmallGrid) -> None:
    grid.measure(AREA_SITE, net_load_kw=1.0)
    fast = SiteInfo(AREA_SITE, cadence_s=0.1)
    start, end = grid.clock.now(), grid.clock.now() + timedelta(hours=3)
    answers = list(pages(grid, fast, start, end, "1h"))
    assert [len(answer.rows) for answer in answers] == [1, 0, 0]


@dataclass(frozen=True)
class Case:
    """A span of a site's pulses, and how it is asked for."""

    cadence_s: float
    offsets_s: frozenset[int]
    start: datetime
    end: datetime
    resolution: str


@st.composite
def cases(draw: st.DrawFn) -> Case:
    cadence_s = draw(st.sampled_from([5.0, 60.0, 300.0, 420.0, 900.0, 1800.0]))
    span_s = round(40 * cadence_s)
    regular = frozenset(range(0, span_s, round(cadence_s)))
    extra = draw(st.frozensets(st.integers(0, span_s), max_size=30))
    lost = draw(st.frozensets(st.sampled_from(sorted(regular)), max_size=30))
    start_s = draw(st.integers(-100, span_s))
    end_s = draw(st.integers(start_s + 1, span_s + 100))
    return Case(
        cadence_s,
        (regular | extra) - lost,
        NOON + timedelta(seconds=start_s),
        NOON + timedelta(seconds=end_s),
        draw(st.sampled_from(sorted(STEP_S))),
    )


def pages(grid: SmallGrid, site: SiteInfo, start: datetime, end: datetime, resolution: str) -> Iterator[Any]:
    """The answers, one call after the other, until all was given."""
    at: datetime | None = start
    while at is not None:
        asked = {"site": site.name, "start": at, "end": end, "resolution": resolution}
        answer = grid.ask("query_history", {"sites": {site.name: site}}, **asked)
        assert answer.next_start is None or at < answer.next_start < end
        yield answer
        at = answer.next_start


def expected(pulses: list[Telemetry], case: Case) -> list[tuple[datetime, float]]:
    """All rows at once, by their definition."""
    step_s = STEP_S[case.resolution]
    groups: dict[datetime, list[float]] = {}
    for pulse in pulses:
        stamp = pulse.ts_utc
        if case.start <= stamp < case.end and pulse.net_load_kw is not None:
            since = stamp.timestamp()
            key = stamp if step_s is None else datetime.fromtimestamp(since - since % step_s, UTC)
            groups.setdefault(key, []).append(pulse.net_load_kw)
    return [(key, math.fsum(values) / len(values)) for key, values in groups.items()]


def test_paging_never_loses_or_repeats_a_row(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = SmallGrid(tmp_path_factory.mktemp("history"))
    monkeypatch.setattr(query_history, "MAX_ROWS", 7)
    monkeypatch.setattr(query_history, "MAX_PULSES_READ", 15)
    numbers = iter(range(10_000))

    @settings(max_examples=80)
    @given(cases())
    def check(case: Case) -> None:
        site = SiteInfo(f"site-{next(numbers)}", case.cadence_s)
        stamps = [NOON + timedelta(seconds=offset) for offset in sorted(case.offsets_s)]
        pulses = [Telemetry(site.name, at, net_load_kw=float(k)) for k, at in enumerate(stamps)]
        grid.store.write(pulses)
        answers = list(pages(grid, site, case.start, case.end, case.resolution))
        assert all(len(answer.rows) <= 7 for answer in answers)
        rows = [(row.ts_utc, row.net_load_kw) for answer in answers for row in answer.rows]
        wanted = expected(pulses, case)
        assert [at for at, _ in rows] == [at for at, _ in wanted]
        assert [kw for _, kw in rows] == pytest.approx([kw for _, kw in wanted])

    check()
    grid.close()


def test_the_offset_of_a_moment_counts(plant: SmallGrid) -> None:
    in_utc = {"start": utc("2024-05-04T00:00:00+00:00"), "end": utc("2024-05-04T01:00:00+00:00")}
    elsewhere = {"start": "2024-05-04T02:00:00+02:00", "end": "2024-05-04T03:00:00+02:00"}
    assert plant.ask("query_history", **in_utc) == plant.ask("query_history", **elsewhere)
    assert len(plant.ask("query_history", **in_utc).rows) == 4
