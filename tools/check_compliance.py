"""check_compliance: which provisions of NERC and FERC bear on a proposed dispatch."""

from collections.abc import Iterable

from pydantic import Field

from grid.telemetry import AREA_SITE
from knowledge.manifest import official_address
from knowledge.standards import status_of
from policies.principal import SCOPE_READ
from policies.proposal import AssetName
from policies.provisions import Action, Emergency, Provision, provisions_for
from tools.contract import Tool, ToolContext, ToolInput, ToolOutput
from tools.errors import ToolInputError, ToolUnavailableError
from tools.lookup_regulation import searched

NOTE = (
    "These provisions bear on the dispatch; whether it complies is for people to judge. The guardrails decide"
    " when it is proposed, and an Operating Instruction outranks it."
)


class ProposedAction(ToolInput):
    """A dispatch that is only thought of."""

    asset: AssetName
    power_kw: float = Field(description="positive injects, negative charges the battery", ge=-1e9, le=1e9)
    duration_min: float = Field(15.0, description="how long it is held", ge=0.05, le=1440)
    emergency: Emergency | None = Field(
        None,
        description="energy: an Energy Emergency Alert is declared; null: operating if an event is critical",
    )


class ComplianceRequest(ToolInput):
    """The dispatch to look at."""

    action: ProposedAction


class ProvisionFound(ToolOutput):
    """A provision that bears on the dispatch."""

    citation: str
    why: str
    status: str | None
    official_address: str | None
    found_in: str | None = Field(description="indexed document and place")


class ComplianceAnswer(ToolOutput):
    """The provisions, most pressing first."""

    emergency: Emergency
    provisions: list[ProvisionFound]
    note: str


def _emergency(action: ProposedAction, context: ToolContext) -> Emergency:
    """As asked, else what the area's open events say."""
    if action.emergency is not None:
        return action.emergency
    events = context.reader.events(AREA_SITE, context.clock.now())
    critical = any(event.severity == "critical" and event.ended_at is None for event in events)
    return "operating" if critical else "none"


async def _places(citations: Iterable[str], context: ToolContext) -> dict[str, str]:
    """Where the provisions' own documents have them, as far as they are indexed and the index answers."""
    places: dict[str, str] = {}
    if context.knowledge is None:
        return places
    for citation in citations:
        try:
            passages = await searched(context.knowledge, citation, 3, [], None)
        except ToolUnavailableError:  # the provisions themselves do not hang on the index
            break
        own = [passage for passage in passages if _standard(passage.citation) == _standard(citation)]
        if own:
            places[citation] = f"{own[0].document}: {own[0].citation}"
    return places


def _standard(citation: str) -> str | None:
    found = status_of(citation)
    return None if found is None else found.standard


def _told(provision: Provision, place: str | None) -> ProvisionFound:
    status = status_of(provision.standard)
    return ProvisionFound(
        citation=provision.citation,
        why=provision.why,
        status=None if status is None else status.words,
        official_address=official_address(provision.standard),
        found_in=place,
    )


async def run(request: ComplianceRequest, context: ToolContext) -> ComplianceAnswer:
    """Choose the rows of the table that bear on the dispatch, each with its status and where it stands."""
    asked = request.action
    if asked.asset == "peaker" and asked.power_kw < 0:
        raise ToolInputError(f"action.power_kw={asked.power_kw}: a peaker never absorbs; give 0 or more")
    emergency = _emergency(asked, context)
    action = Action(
        asked.asset, asked.power_kw, asked.duration_min * 60.0, emergency, context.limits.ramp_limit_kw
    )
    provisions = list(provisions_for(action))
    places = await _places(dict.fromkeys(provision.citation for provision in provisions), context)
    told = [_told(provision, places.get(provision.citation)) for provision in provisions]
    return ComplianceAnswer(emergency=emergency, provisions=told, note=NOTE)


tool = Tool(
    name="check_compliance",
    title="Check compliance",
    description=(
        "NERC and FERC provisions that bear on a dispatch you think of (asset, kW, minutes, emergency), each"
        " with citation and why; proposes nothing."
    ),
    effect="read",
    scope=SCOPE_READ,
    input_model=ComplianceRequest,
    output_model=ComplianceAnswer,
    run=run,
    toolset="knowledge",
)
