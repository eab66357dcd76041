"""One look for all pages: kept, refreshed, and honest when it fails."""

import threading
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from operator_console import watch as watching
from operator_console.chart import chart_options
from operator_console.series_view import ChartSeen
from operator_console.shared import SharedReading
from operator_console.watch import View, Watch
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.sqlite_store import SqliteStore
from tests.operator_console.conftest import Console


class Steady:
    """A steady clock, as the test sets it."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class SilentStore(SqliteStore):
    """Answers no forecast until it is released."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, read_only=True)
        self.released = threading.Event()

    def latest_forecast(self, site: str) -> Forecast | None:
        self.released.wait()
        raise StoreError(f"released {site}")


def watch_of(console: Console, told: list[View], clock: Steady | None = None) -> Watch:
    return Watch(console.source, lambda: True, told.append, clock_s=clock or Steady())


def test_what_was_looked_at_lately_is_not_looked_at_again(console: Console) -> None:
    console.pulse(net_load_kw=1.0)
    clock = Steady()
    watch = watch_of(console, [], clock)

    async def main() -> None:
        first = await watch.fresh()
        assert await watch.fresh() is first
        clock.now_s += 2.0
        console.plant.clock.advance(1.0)
        console.pulse(net_load_kw=2.0)
        second = await watch.fresh()
        assert second.seen is not None
        assert second.seen.metered.net_load_kw == 2.0

    anyio.run(main)


def test_a_look_that_fails_keeps_what_was_seen_and_says_why(console: Console) -> None:
    console.pulse(net_load_kw=1.0)
    told: list[View] = []
    watch = watch_of(console, told)

    async def main() -> None:
        await watch.tell_now()
        console.store.close()
        await watch.tell_now()

    anyio.run(main)
    good, bad = told
    assert good.problem is None
    assert bad.seen is good.seen
    assert bad.problem is not None
    assert "telemetry.db: cannot be read" in bad.problem


def test_a_store_that_does_not_answer_is_not_live(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ANSWER_WITHIN_S", 0.05)
    silent = SilentStore(tmp_path / "telemetry.db")
    console.source = replace(console.source, reader=silent)
    told: list[View] = []
    anyio.run(watch_of(console, told).tell_now)
    silent.released.set()
    silent.close()
    assert told[0].seen is None
    assert told[0].problem is not None
    assert "did not answer" in told[0].problem


def test_the_chart_stacks_the_band_and_draws_what_is_not_live_grey() -> None:
    p10, p90 = ((0, 1.0), (1, None)), ((0, 4.5), (1, 3.0))
    seen = ChartSeen(1_000, metered=((0, 5.0), (1, None)), p10=p10, p50=((0, 2.0),), p90=p90)
    options = chart_options(seen, live=True)
    series = {line["name"]: line for line in options["series"]}
    assert series["P10"]["data"] == [[0, 1.0], [1, None]]
    assert series["forecast P10–P90"]["data"] == [[0, 3.5], [1, None]], "a missing bound is a hole"
    assert series["metered"]["data"] == [[0, 5.0], [1, None]]
    colours = {line["itemStyle"]["color"] for line in chart_options(seen, live=False)["series"][2:]}
    assert len(colours) == 1
    assert "between 5 and 5 kW" in options["aria"]["label"]["description"]
    assert "No net load" in chart_options(ChartSeen(0), live=True)["aria"]["label"]["description"]


def test_what_many_pages_show_is_read_once_and_again_once_the_audit_grew() -> None:
    read: list[int] = []

    def slow() -> int:
        read.append(1)
        return len(read)

    shared = SharedReading(slow)

    async def main() -> None:
        async with anyio.create_task_group() as pages:
            for _ in range(20):
                pages.start_soon(shared.at, 7)
        assert await shared.at(7) == 1
        assert await shared.at(8) == 2

    anyio.run(main)
    assert len(read) == 2


def test_a_shared_reading_that_failed_is_tried_again() -> None:
    answers: list[int | None] = [None, 5]

    def read() -> int:
        answer = answers.pop(0)
        if answer is None:
            raise StoreError("away")
        return answer

    shared = SharedReading(read)

    async def main() -> None:
        with pytest.raises(StoreError):
            await shared.at(1)
        assert await shared.at(1) == 5

    anyio.run(main)
