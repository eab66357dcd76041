"""Looks what changed in store and ledger, and tells the subscribers of the resources that show it."""

import logging
from collections.abc import Hashable, Mapping

import anyio
import anyio.to_thread
from mcp.server.subscriptions import ResourceUpdated

from dispatch.errors import DispatchError
from mcp_server.dispatch_log import DispatchLog
from mcp_server.resources import ASSET, ASSETS, DISPATCH, FORECAST, STATUS, TELEMETRY, ContextFor, uri_of
from mcp_server.subscriptions import UpdateBus
from pipeline.errors import PipelineError
from tools.contract import SiteInfo, ToolContext
from tools.freshness import age_s_of, is_stale

_log = logging.getLogger(__name__)


class Watcher:
    """Publishes to a bus what changed since it last looked.

    Args:
        bus: has the subscribers.
        context_for: what to look at; nobody in particular looks.
        log: the dispatches, where there are any.
    """

    def __init__(self, bus: UpdateBus, context_for: ContextFor, log: DispatchLog | None) -> None:
        self._bus = bus
        self._context_for = context_for
        self._log = log
        self._seen: Mapping[str, Hashable] = {}
        self._fails = False

    async def run(self, every_s: float) -> None:
        """Look every so many seconds, until cancelled."""
        while True:
            await anyio.sleep(every_s)
            await self.look()

    async def look(self) -> None:
        """Tell what changed, if anybody wants to know; at the first look everything did.

        Subscribers of what an earlier look missed are told once too often rather than once too little.
        """
        if not self._bus.is_watched:
            return
        try:
            now = await anyio.to_thread.run_sync(self._revisions)
        except (PipelineError, DispatchError) as error:
            if not self._fails:
                _log.warning("subscribers are not told what changes: %s", error)
            self._fails = True
            return
        self._fails = False
        changed = [uri for uri, revision in now.items() if self._seen.get(uri) != revision]
        self._seen = now
        for uri in changed:
            await self._bus.publish(ResourceUpdated(uri))

    def _revisions(self) -> Mapping[str, Hashable]:
        """For every resource that may change something that changes with it."""
        context = self._context_for()
        found: dict[str, Hashable] = {}
        for site in context.sites.values():
            found[uri_of(TELEMETRY, site=site.name)] = _pulse(context, site)
            found[uri_of(FORECAST, site=site.name)] = _forecast(context, site)
        if self._log is not None:
            reported = self._log.reported()
            found |= {uri_of(ASSET, asset=asset): reported for asset in ASSETS}
            found |= {uri_of(DISPATCH, id=number): state for number, state in self._log.newest().items()}
        return {STATUS: (*found.values(), _desk(context)), **found}


def _pulse(context: ToolContext, site: SiteInfo) -> Hashable:
    newest = context.reader.latest(site.name, 1)
    if not newest:
        return None
    ts_utc = newest[-1].ts_utc
    return ts_utc, is_stale(context, site, age_s_of(context, ts_utc))


def _forecast(context: ToolContext, site: SiteInfo) -> Hashable:
    forecast = context.reader.latest_forecast(site.name)
    if forecast is None:
        return None
    return forecast.issued_at, is_stale(context, site, age_s_of(context, forecast.issued_at))


def _desk(context: ToolContext) -> Hashable:
    """What waits for people, whether the autonomy is halted, and which events are open."""
    approvals = tuple((found.approval_id, found.state) for found in context.desk.approvals())
    now = context.clock.now()
    events = tuple(
        event.event_id
        for found in context.reader.open_events(now).values()
        for event in found
        if event.ended_at is None
    )
    return approvals, context.desk.halted(), events
