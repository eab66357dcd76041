"""A small area from its real parts in simulated time: plant, stream, store, ledger, desk and servers."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
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
from smartgrid.market_feed import MarketFeed
from smartgrid.plant_owner import PlantOwner
from smartgrid.plant_stream import EmbeddedStream
from tests.pipeline.conftest import SITE_TZ, made_up_series
from tools.contract import Tool, ToolCall, ToolContext
from tools.registry import discover_tools

CADENCE_S = 300.0
INTERVAL = timedelta(seconds=CADENCE_S)
TRAINING_ROWS = 3 * 288
ANA = local_principal("ana")
READER = Principal("local:eve", frozenset({SCOPE_READ}), 30)
OPERATOR = operator_principal("ben")


@cache
def priced_series() -> BaseSeries:
    """Four days at five minutes: hourly day-ahead prices, real-time prices around them."""
    series = made_up_series(cadence_s=CADENCE_S)
    hours = np.arange(len(series.frame)) // 12
    day_ahead = 50.0 + 20.0 * np.sin(2 * np.pi * hours / 24.0)
    noise = np.random.default_rng(3).normal(0.0, 5.0, len(series.frame))
    prices = {"price_usd_per_mwh": day_ahead + noise, "da_price_usd_per_mwh": day_ahead}
    return BaseSeries(series.frame.assign(**prices), CADENCE_S, "EUR", "file")


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
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        area: Area | None = None,
        knowledge: Index | None = None,
        now: datetime | None = None,
    ) -> None:
        self.area = area or small_area()
        self.limits = self.area.limits
        self.ledger = Ledger(state_dir)
        self.store = SqliteStore(state_dir / "telemetry.db")
        self.base = _part(slice(TRAINING_ROWS, None))
        self.clock = SimulatedClock(now or self.base.frame.index[0].to_pydatetime())
        self.tools = {tool.name: tool for tool in discover_tools().tools}
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
        self.store.close()
        self.ledger.close()

    # -- the plant ----------------------------------------------------------------------------

    def start(self, intervals: int = 24) -> "SmallGrid":
        """Own the plant and let it run unattended: measured, quoted, reported."""
        lease = Lease(self.ledger, "owner", lambda: 0.0)
        assert lease.acquire()
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
        return self.store.latest(site, 1)[-1]

    # -- calling tools ------------------------------------------------------------------------

    def context(self, tool: Tool, arguments: Mapping[str, Any]) -> ToolContext:
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


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)
