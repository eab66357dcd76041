"""A decision judged again from what was known when it was taken, beside what else could have been done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydantic import Field

from dispatch.decision_record import ProposalRecord
from pipeline.errors import PipelineError
from policies import response, trading
from policies.alternatives import weighed
from policies.errors import PolicyError
from policies.principal import RESPONSE, TRADING
from policies.proposal import AssetName
from policies.view import Decision, GridView
from tools.area_view import area_view
from tools.as_of import AsOfReader, StandingClock
from tools.assets_then import assets_then
from tools.contract import ToolContext, ToolOutput
from tools.errors import ToolUnavailableError

SAME_SHARE = 0.01
"""Of the rated power: the policies run again agree with what they decided."""


class RejectedAlternative(ToolOutput):
    """What else could have been done then."""

    what: str
    asset: str
    power_kw: float
    worse_by: float | None = Field(
        description="expected cost above the decision's; negative: better; None: impossible"
    )


@dataclass(frozen=True)
class Hindsight:
    """The alternatives, and how far they can be trusted.

    Attributes:
        alternatives: none where they could not be reconstructed.
        reproduced: whether the policy, run again, decides the same; None where a person decided.
        notes: what stands in the way.
    """

    alternatives: list[RejectedAlternative]
    reproduced: bool | None
    notes: list[str]


def judged_again(context: ToolContext, proposal: ProposalRecord) -> Hindsight:
    """Judge a proposal and its alternatives by the plan of that moment."""
    try:
        view = _view_then(context, proposal)
        asset: AssetName = "peaker" if proposal.asset == "peaker" else "battery"
        duration_s = (proposal.ends_at - proposal.starts_at).total_seconds()
        options = weighed(view, asset, proposal.asked_kw, duration_s)
        reproduced = _reproduced(view, proposal, asset)
    except (ToolUnavailableError, PolicyError, PipelineError) as error:
        return Hindsight([], None, [f"the alternatives cannot be reconstructed: {error}"])
    decided, *others = options
    if decided.cost_usd is None:
        return Hindsight([], reproduced, ["the plan of that moment cannot hold what was asked for so long"])
    notes = ["alternatives: expected at the time, over the plan's horizon, from what was known then"]
    if reproduced is False:
        notes.append("run again, the policy decides otherwise: something that it knew then is not stored")
    found = [
        RejectedAlternative(
            what=other.what,
            asset=other.asset,
            power_kw=other.power_kw,
            worse_by=None if other.cost_usd is None else other.cost_usd - decided.cost_usd,
        )
        for other in others
    ]
    return Hindsight(found, reproduced, notes)


def _view_then(context: ToolContext, proposal: ProposalRecord) -> GridView:
    at = proposal.starts_at
    assets = assets_then(context, at)
    named = (
        None if proposal.forecast_issued_at is None else datetime.fromisoformat(proposal.forecast_issued_at)
    )
    reader = AsOfReader(context.reader, at, context.sites, named)
    then = replace(context, clock=StandingClock(at), reader=reader, call=None)
    approved = proposal.approval_id is not None and proposal.asset == "peaker"
    view = area_view(then, assets, "approved" if approved else "none")
    if all(value is None for value in view.native_kw):
        raise ToolUnavailableError("the telemetry of that time is not stored")
    return view


def _reproduced(view: GridView, proposal: ProposalRecord, asset: AssetName) -> bool | None:
    if proposal.requester not in (RESPONSE.subject, TRADING.subject):
        return None
    rated_kw = (view.battery if asset == "battery" else view.peaker).power_kw
    return any(
        decision.asset == asset and abs(decision.power_kw - proposal.asked_kw) <= SAME_SHARE * rated_kw
        for decision in _decided(view, proposal.requester)
    )


def _decided(view: GridView, requester: str) -> Sequence[Decision]:
    if requester == RESPONSE.subject:
        return response.decide(view)
    traded = trading.decide(view)
    return () if traded is None else (traded,)
