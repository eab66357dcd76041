"""What every role of a plant has to know of its area, and how each principal gets a server on it."""

from dataclasses import dataclass
from datetime import tzinfo
from functools import partial
from zoneinfo import ZoneInfo

from dispatch.ledger import Ledger
from dispatch.service import DispatchService
from grid.clock import Clock
from grid.telemetry import AREA_SITE, NATIVE_SITE
from knowledge.index import Index
from mcp_server.dispatch_log import DispatchLog
from mcp_server.identity import Access, caller
from mcp_server.offer import EVERYTHING, Offer
from mcp_server.server import ScopedServer, Sources, build_server
from pipeline.forecasting.drivers import Explainer
from pipeline.judged_reader import JudgingReader
from pipeline.outlook import Outlook
from pipeline.store import SeriesReader
from policies.limits import PlantLimits
from policies.principal import Principal
from smartgrid.console_link import ConsoleAddress, approval_page, no_console
from smartgrid.desk import LedgerDesk
from smartgrid.observation import Observer
from smartgrid.regulation import RegulationLibrary
from tools.contract import SiteInfo, Tool, ToolContext
from tools.views import view_of

NOBODY = Principal("server", frozenset(), 0)
"""Who looks for what changed: may do nothing."""


@dataclass(frozen=True)
class Area:
    """An area with its assets.

    Attributes:
        limits: every number resolved at this area's scale.
        tz: IANA time zone of its local day.
        currency: of its prices.
        outlook: expected net load of the hours beyond the forecast; None where none was learnt.
        explainer: says what drives a forecast; None where there is no saved model.
    """

    limits: PlantLimits
    tz: str
    currency: str = "USD"
    outlook: Outlook | None = None
    explainer: Explainer | None = None

    @property
    def zone(self) -> tzinfo:
        """The local day's time zone."""
        return ZoneInfo(self.tz)

    @property
    def sites(self) -> dict[str, SiteInfo]:
        """The metered sites: the interconnection, and the same gross of our own assets."""
        cadence_s = self.limits.scale.cadence_s
        return {
            AREA_SITE: SiteInfo(AREA_SITE, cadence_s, self.tz),
            NATIVE_SITE: SiteInfo(NATIVE_SITE, cadence_s, self.tz, parent=AREA_SITE),
        }


class Workplace:
    """A process's access to an area: reads the store, proposes through the ledger, serves tools."""

    def __init__(
        self,
        area: Area,
        *,
        ledger: Ledger,
        reader: SeriesReader,
        clock: Clock,
        tools: tuple[Tool, ...],
        knowledge: Index | None = None,
        console: ConsoleAddress = no_console,
    ) -> None:
        """Bind an area to where its state lies.

        Args:
            area: limits and names.
            ledger: proposals, approvals and the assets' reports.
            reader: telemetry, forecasts, quotes, events.
            clock: the plant's time.
            tools: what the servers offer.
            knowledge: the index of regulation documents, if there is one.
            console: where it is served now.
        """
        self.area = area
        self.ledger = ledger
        self.reader = reader
        self.clock = clock
        self.observer = Observer(reader, clock, area.limits.interval_s)
        self._tools = tools
        self._knowledge = knowledge
        # One view for all calls: what a tool remembers of a store, it remembers by its view.
        self.reader_view = view_of(JudgingReader, reader)
        service = DispatchService(ledger, area.limits, clock, self.observer.observe, area.zone)
        self._desk = LedgerDesk(ledger, service, area.limits, clock, area.zone, console=console)
        self.dispatch_log = DispatchLog(ledger)
        self._sources = Sources(
            log=self.dispatch_log,
            watched=lambda: self.context(NOBODY),
            documents=knowledge.documents if isinstance(knowledge, RegulationLibrary) else tuple,
            approval_page=partial(approval_page, console),
        )

    def context(self, principal: Principal) -> ToolContext:
        """What a tool may see when this principal calls it."""
        return ToolContext(
            principal=principal,
            clock=self.clock,
            reader=self.reader_view,
            sites=self.area.sites,
            limits=self.area.limits,
            currency=self.area.currency,
            outlook=self.area.outlook,
            knowledge=self._knowledge,
            desk=self._desk,
            explainer=self.area.explainer,
        )

    def server_for(self, principal: Principal, offer: Offer = EVERYTHING) -> ScopedServer:
        """An MCP server whose every call is this principal's.

        Raises:
            ServeError: when the offer names a tool or a toolset that is not installed.
        """
        return build_server(self._tools, lambda: self.context(principal), offer=offer, sources=self._sources)

    def server_behind(self, access: Access, offer: Offer = EVERYTHING) -> ScopedServer:
        """An MCP server over HTTP whose every call is that of the principal in its bearer token.

        Raises:
            ServeError: when the offer names a tool or a toolset that is not installed.
        """
        return build_server(self._tools, lambda: self.context(caller()), access, offer, self._sources)
