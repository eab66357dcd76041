"""A small area from its real parts in simulated time: plant, stream, store, ledger, desk and servers."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from mcp.server import MCPServer
from sqlalchemy import func, select

from dispatch.approvals import Approvals
from dispatch.lease import Lease
from dispatch.ledger import Ledger
from dispatch.schema import approvals, asset_readings, audit, dispatches, flags, proposals
from grid.clock import SimulatedClock
from grid.plant import PlantSimulator
from grid.series import BaseSeries
from grid.telemetry import AREA_SITE, Telemetry
from knowledge.index import Index
from pipeline.engine import StreamEngine
from pipeline.model import ForecastModel
from pipeline.outlook import Outlook, fit_outlook
from pipeline.sqlite_store import SqliteStore
from pipeline.training import train
from pipeline.transport import Transport
from policies.limits import Limits, Scale
from policies.principal import SCOPE_READ, Principal, local_principal, operator_principal
from smartgrid.area import Area, Workplace
from smartgrid.errors import SmartGridError
from smartgrid.market_feed import MarketFeed
from smartgrid.plant_owner import PlantOwner
from smartgrid.plant_stream import EmbeddedStream
from smartgrid.testing.days import CADENCE_S, SITE_TZ, priced_series
from tools.contract import Tool, ToolCall, ToolContext
from tools.registry import discover_tools

INTERVAL: Final = timedelta(seconds=CADENCE_S)
TRAINING_ROWS: Final = 3 * 288
RUN_INTERVALS: Final = 24
NOW: Final = datetime.fromisoformat("2024-05-04T02:00:00+00:00")
"""Where the clock of a grid stands that was started: two hours into the day after the training days."""

ANA: Final = local_principal("ana")
READER: Final = Principal("local:eve", frozenset({SCOPE_READ}), 30)
OPERATOR: Final = operator_principal("ben")


def _part(rows: slice) -> BaseSeries:
    series = priced_series()
    return BaseSeries(series.frame.iloc[rows], CADENCE_S, series.currency, series.price_source)


@cache
def learnt() -> tuple[ForecastModel, Outlook]:
    """A small model and the outlook of the first three days."""
    past = _part(slice(0, TRAINING_ROWS))
    return train(past, cadence_s=CADENCE_S, site_tz=SITE_TZ, trees=10), fit_outlook([past], site_tz=SITE_TZ)


def small_area() -> Area:
    """The area at the scale of those days, with the default limits."""
    model, outlook = learnt()
    metadata = model.metadata
    scale = Scale(metadata.p99_net_load_kw, metadata.ramp_limit_kw, CADENCE_S)
    return Area(Limits().resolve(scale), SITE_TZ, "EUR", outlook)


class SmallGrid:
    """An area whose clock stands at the first moment after the training days, or at another.

    Nothing has been measured before :meth:`start`; a test may write its own measurements instead.

    Args:
        state_dir: an empty directory for its ledger and its store.
        area: another one than :func:`small_area`.
        knowledge: an index of documents.
        now: where the clock stands.
        tools: what it offers; those that are installed when None.

    Attributes:
        state_dir: with ``ledger.db`` and ``telemetry.db``.
        limits: of the area's plant.
        store: where a test writes what was measured; tools see it read-only.
        clock: simulated; it moves as a test says.
        tools: by name.
        approvals: where a person decides.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        area: Area | None = None,
        knowledge: Index | None = None,
        now: datetime | None = None,
        tools: Iterable[Tool] | None = None,
    ) -> None:
        self.state_dir = state_dir
        self.area = area or small_area()
        self.limits = self.area.limits
        self.ledger = Ledger(state_dir)
        self.store = SqliteStore(state_dir / "telemetry.db")
        self.base = _part(slice(TRAINING_ROWS, None))
        self.clock = SimulatedClock(now or self.base.frame.index[0].to_pydatetime())
        self.tools = {tool.name: tool for tool in (discover_tools().tools if tools is None else tools)}
        self.workplace = Workplace(
            self.area,
            ledger=self.ledger,
            reader=self.store,
            clock=self.clock,
            tools=tuple(self.tools.values()),
            knowledge=knowledge,
        )
        self.approvals = Approvals(self.ledger, self.clock, require_two_people=False)

    def close(self) -> None:
        """Close its store and its ledger."""
        self.store.close()
        self.ledger.close()

    def __enter__(self) -> "SmallGrid":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the plant ----------------------------------------------------------------------------

    def start(self, intervals: int = RUN_INTERVALS) -> "SmallGrid":
        """Own the plant and let it run unattended: measured, quoted, reported.

        Raises:
            SmartGridError: if it was started before.
        """
        lease = Lease(self.ledger, "owner", lambda: 0.0)
        if not lease.acquire():
            raise SmartGridError("this grid has an owner already; make another SmallGrid to start again")
        plant = PlantSimulator(self.base, self.limits.battery, self.limits.peaker)
        self.owner = PlantOwner(
            plant=plant,
            clock=self.clock,
            workplace=self.workplace,
            writer=self.store,
            stream=EmbeddedStream(self._engine_on),
            lease=lease,
        )
        self._feed = MarketFeed(self.base, self.store)
        start = self.clock.now()
        self._feed.announce_day(start, start + timedelta(days=1))
        self.owner.advance_to(start + intervals * INTERVAL)
        for number in range(intervals + 1):
            self._feed.quote_interval(start + number * INTERVAL)
        self.owner.report()
        return self

    def _engine_on(self, transport: Transport) -> StreamEngine:
        ramp_limit_kw = self.limits.ramp_limit_kw
        return StreamEngine(transport, self.store, learnt()[0], ramp_limit_kw=ramp_limit_kw)

    def advance(self, intervals: int = 1) -> None:
        """Set the assets and play on, an interval at a time."""
        for _ in range(intervals):
            self.owner.act()
            self.owner.advance_to(self.clock.now() + INTERVAL)
            self.owner.report()
            self._feed.quote_interval(self.clock.now())

    def measure(self, site: str = AREA_SITE, age: timedelta = timedelta(0), **channels: float | None) -> None:
        """Write a measurement of that age into the store."""
        self.store.write([Telemetry(site, self.clock.now() - age, **channels)])

    def newest(self, site: str = AREA_SITE) -> Telemetry:
        """What a site measured last."""
        return self.store.latest(site, 1)[-1]

    # -- calling tools ------------------------------------------------------------------------

    def context(self, tool: Tool, arguments: Mapping[str, Any]) -> ToolContext:
        """What a tool sees when a person with the read and the dispatch scope calls it."""
        return replace(self.workplace.context(ANA), call=ToolCall(tool.name, tool.effect, arguments))

    def ask(self, name: str, changed: Mapping[str, Any] | None = None, /, **arguments: Any) -> Any:
        """The answer of a tool called as the plain function that it is.

        Args:
            name: of the tool.
            changed: fields of its context that are to be others.
            arguments: of the call.
        """
        tool = self.tools[name]
        request = tool.input_model.model_validate(arguments)
        return asyncio.run(_run(tool, request, replace(self.context(tool, arguments), **(changed or {}))))

    def server(self, principal: Principal = ANA) -> MCPServer[None]:
        """An MCP server whose every call is this principal's."""
        return self.workplace.server_for(principal)

    def written(self) -> dict[str, int]:
        """How many rows each table of the ledger has; they tell whether anything was recorded."""
        tables = (proposals, approvals, dispatches, audit, flags, asset_readings)
        with self.ledger.reading() as connection:
            return {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in tables
            }


async def _run(tool: Tool, request: Any, context: ToolContext) -> Any:
    return await tool.run(request, context)
