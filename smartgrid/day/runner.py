"""One day through the whole chain, in simulated time, embedded in one process.

At each interval's border: the pulses that have come in are streamed, the coming interval's price is
quoted, the supervisor's loops act through their MCP clients, and the executor sets the assets. In
between, the simulated operator decides what waits.
"""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from dispatch.approvals import Approvals
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from grid.accounts import DayInput, RunAccounts, settle_run
from grid.clock import SimulatedClock
from grid.drivers import AssetReadings
from grid.perfect_foresight import perfect_foresight
from grid.plant import PlantSimulator
from grid_supervisor.results import TickResult
from pipeline.engine import StreamEngine
from pipeline.sqlite_store import SqliteStore
from smartgrid.area import Workplace
from smartgrid.day.preparation import PreparedDay
from smartgrid.day.recording import AssetRecording
from smartgrid.day.result import DayResult
from smartgrid.day.review import review_day
from smartgrid.day.simulated_operator import SimulatedOperator
from smartgrid.judging import judged
from smartgrid.market_feed import MarketFeed
from smartgrid.plant_owner import PlantOwner
from smartgrid.plant_stream import EmbeddedStream
from smartgrid.supervising import LOOPS, open_supervisor
from tools.registry import discover_tools


@dataclass(frozen=True)
class Progress:
    """Where a running day stands.

    Attributes:
        now: the plant's time, at an interval's border.
        share: of the day that is over, 0 to 1.
        pulses: streamed so far.
        readings: of the assets.
        tick: what the loops did for the coming interval.
    """

    day: PreparedDay
    now: datetime
    share: float
    pulses: int
    readings: AssetReadings
    tick: TickResult
    store: SqliteStore


Watcher = Callable[[Progress], None]


async def run_day(
    day: PreparedDay, state_dir: Path, *, with_operator: bool = True, watch: Watcher | None = None
) -> DayResult:
    """Run a day and settle its accounts.

    Args:
        day: what to run, and what is known before it.
        state_dir: a new or empty directory for the ledger and the store; they stay there to be read again.
        with_operator: whether a simulated operator approves what waits; nobody does otherwise.
        watch: told at each border.

    Raises:
        AccountsError: if the day has no net load, or our cost were below perfect foresight's.
    """
    accounts_input = day.accounts_input()
    limits = day.knowledge.area.limits
    with _workplace(day, state_dir) as (workplace, store, clock):
        recording, pulses = await _play(
            day, workplace, store, clock, with_operator=with_operator, watch=watch
        )
        return review_day(
            day,
            accounts_input,
            perfect_foresight(accounts_input, limits.battery, limits.peaker),
            recording,
            ledger=workplace.ledger,
            reader=store,
            pulses=pulses,
            operator="simulated" if with_operator else "none",
        )


async def cost_of_day(day: PreparedDay, truth: DayInput, state_dir: Path) -> RunAccounts:
    """What a day costs whose telemetry may be false.

    Args:
        day: what the meters say, and what is known before it.
        truth: what the accounts rest on.
        state_dir: a new or empty directory for the ledger and the store.
    """
    limits = day.knowledge.area.limits
    with _workplace(day, state_dir) as (workplace, store, clock):
        recording, _ = await _play(day, workplace, store, clock, with_operator=True, watch=None)
    return settle_run(truth, recording.battery_kw(), recording.peaker_kw(), limits.battery, limits.peaker)


@contextmanager
def _workplace(day: PreparedDay, state_dir: Path) -> Iterator[tuple[Workplace, SqliteStore, SimulatedClock]]:
    state_dir.mkdir(parents=True, exist_ok=True)
    with SqliteStore(state_dir / "telemetry.db") as store:
        ledger = Ledger(state_dir)
        try:
            clock = SimulatedClock(day.scenario.series.frame.index[0].to_pydatetime())
            tools = discover_tools().tools
            yield (
                Workplace(
                    day.knowledge.area,
                    ledger=ledger,
                    reader=judged(store, day.knowledge.detector),
                    clock=clock,
                    tools=tools,
                ),
                store,
                clock,
            )
        finally:
            ledger.close()


async def _play(
    day: PreparedDay,
    workplace: Workplace,
    store: SqliteStore,
    clock: SimulatedClock,
    *,
    with_operator: bool,
    watch: Watcher | None,
) -> tuple[AssetRecording, int]:
    scenario, limits = day.scenario, workplace.area.limits
    lease = Lease(workplace.ledger, "day", lambda: 0.0)
    lease.acquire()
    plant = PlantSimulator(scenario.series, limits.battery, limits.peaker)
    model, ramp_limit_kw = day.knowledge.model, limits.ramp_limit_kw
    stream = EmbeddedStream(partial(StreamEngine, store=store, model=model, ramp_limit_kw=ramp_limit_kw))
    owner = PlantOwner(
        plant=plant, clock=clock, workplace=workplace, writer=store, stream=stream, lease=lease
    )
    feed = MarketFeed(scenario.series, store)
    desk = Approvals(workplace.ledger, clock, require_two_people=limits.require_two_people)
    operator = SimulatedOperator(desk) if with_operator else None
    recording, pulses = AssetRecording(), owner.advance_to(scenario.start)
    feed.announce_day(scenario.start, scenario.end)
    async with AsyncExitStack() as stack:
        supervisor = await open_supervisor(stack, workplace, tuple(LOOPS), settles_at=scenario.end)
        now = scenario.start
        while now < scenario.end:
            owner.report()
            recording.add(owner.readings())
            feed.quote_interval(now)
            tick = await supervisor.tick()
            owner.act()
            if watch is not None:
                share = (now - scenario.start) / (scenario.end - scenario.start)
                watch(Progress(day, now, share, pulses, owner.readings(), tick, store))
            now = min(now + day.interval, scenario.end)
            pulses += _advance(owner, operator, now)
        owner.report()
        recording.add(owner.readings())
    return recording, pulses


def _advance(owner: PlantOwner, operator: SimulatedOperator | None, border: datetime) -> int:
    """To the next border, stopping where the operator decides; the number of pulses."""
    pulses = 0
    while operator is not None and (due := operator.next_due()) is not None and due < border:
        pulses += owner.advance_to(due)
        operator.decide(due)
    return pulses + owner.advance_to(border)
