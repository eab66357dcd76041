"""A rehearsal in few words: what the loops did, which guardrails bore on it, what was assumed."""

from collections.abc import Sequence

from pydantic import Field

from policies.scenario import Step
from policies.view import GridView
from tools.contract import ToolOutput

MOST_ACTIONS = 12
SMALL_SHARE = 0.05
"""Of the rated power: less is no turn to tell of."""


class LoopAction(ToolOutput):
    """What a loop asks for from then on, until its next entry on the asset."""

    at_min: float
    loop: str
    asset: str
    power_kw: float = Field(description="after clipping")
    outcome: str = Field(description="allow, clip, needs_approval, deny")
    reason: str


class GuardrailFinding(ToolOutput):
    """A guardrail that bore on what a loop asked for."""

    rule: str
    effect: str
    asset: str
    loop: str
    first_at_min: float
    times: int = Field(description="intervals")
    quote: str


def actions_of(steps: Sequence[Step], view: GridView) -> list[LoopAction]:
    """The asks at which a loop begins, turns or stops something; the first ones, if they are many."""
    found: list[LoopAction] = []
    last: dict[tuple[str, str], tuple[int, str]] = {}
    for k, step in enumerate(steps):
        for ask in step.asks:
            power_kw = ask.verdict.power_kw if ask.verdict.outcome != "deny" else ask.decision.power_kw
            key = (ask.requester, ask.decision.asset)
            small_kw = SMALL_SHARE * (view.peaker if key[1] == "peaker" else view.battery).power_kw
            now = ((power_kw > small_kw) - (power_kw < -small_kw), ask.verdict.outcome)
            if last.get(key) == now:
                continue
            last[key] = now
            found.append(
                LoopAction(
                    at_min=k * view.interval_s / 60.0,
                    loop=_loop(ask.requester),
                    asset=ask.decision.asset,
                    power_kw=round(power_kw, 2),
                    outcome=ask.verdict.outcome,
                    reason=ask.decision.reason,
                )
            )
    return found[:MOST_ACTIONS]


def findings_of(steps: Sequence[Step], view: GridView) -> list[GuardrailFinding]:
    """Each rule once for each loop and asset, in the order in which they came."""
    found: dict[tuple[str, str, str, str], GuardrailFinding] = {}
    for k, step in enumerate(steps):
        for ask in step.asks:
            for finding in ask.verdict.findings:
                key = (finding.rule, finding.effect, ask.decision.asset, ask.requester)
                first = found.get(key)
                found[key] = GuardrailFinding(
                    rule=finding.rule,
                    effect=finding.effect,
                    asset=ask.decision.asset,
                    loop=_loop(ask.requester),
                    first_at_min=k * view.interval_s / 60.0 if first is None else first.first_at_min,
                    times=1 if first is None else first.times + 1,
                    quote=finding.quote if first is None else first.quote,
                )
    return list(found.values())


def assumptions_of(kind: str, view: GridView, *, approves: bool) -> list[str]:
    """What the figures rest on, as far as it is no measurement."""
    said = ["nobody foresees it: the loops see each interval once it was measured"]
    if view.forecast is None:
        said.append("no fresh forecast: net load is expected to stay as measured")
    if kind in ("solar_drop", "load_rise"):
        said.append(
            "without it, that channel follows yesterday's course at today's level; held where none is stored"
        )
    if all(price is None for price in view.expected_usd_per_mwh) and not view.prices_ahead:
        said.append("no prices ahead are known")
    else:
        said.append("prices are those expected now; energy stored at the end counts at the day's mean price")
    said.append(
        "an operator approves what needs it before the next interval"
        if approves
        else "nobody approves anything"
    )
    return said


def _loop(requester: str) -> str:
    return requester.removeprefix("supervisor:")
