"""The plugin contract: what a tool is, and all that it may see and do.

A tool is a plain async function ``run(request, context)`` with a pydantic model on each side, so
it is tested without any server. It reads through the context's views and acts only through
:meth:`ToolContext.propose`, which the guardrails stand behind.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic.errors import PydanticUserError

from dispatch.flags import Halt
from dispatch.service import DispatchOutcome
from grid.clock import Clock
from knowledge.index import Index
from pipeline.forecasting.drivers import Explainer
from pipeline.outlook import Outlook
from pipeline.store import SeriesReader
from policies.limits import PlantLimits
from policies.principal import SCOPE_APPROVE, SCOPE_DISPATCH, SCOPE_READ, Principal
from policies.proposal import AssetName
from tools.desk import AssetsView, Desk, DeskView, PendingApproval, SiteInfo
from tools.errors import ToolDefinitionError, ToolInputError, ToolScopeError
from tools.fields import SiteName, ToolInput, ToolOutput, UtcTime
from tools.views import behind, frozen_mapping, view_of

__all__ = [
    "AssetsView",
    "Desk",
    "DeskView",
    "Effect",
    "PendingApproval",
    "Progress",
    "SiteInfo",
    "SiteName",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolInput",
    "ToolOutput",
    "UtcTime",
    "no_progress",
]

Effect = Literal["read", "act"]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The call that a context serves: an approval binds to it. The server fills it in.

    Attributes:
        tool: name of the tool.
        effect: what the tool declared.
        arguments: the caller's own arguments.
    """

    tool: str
    effect: Effect
    arguments: Mapping[str, Any]


Progress = Callable[[float, float | None, str], None]
"""Tells the caller how far a long call is: done, total (None: unknown), and what is being done."""


def no_progress(done: float, total: float | None = None, message: str = "") -> None:
    """Tell nobody: the caller did not ask, or there is no server."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """All that a tool may see, and its only way to act.

    Invariants:
        Whatever the wiring gives, a tool finds read-only views: no writing store, no clock to move, no
        desk to propose at past :meth:`propose`.

    Attributes:
        principal: who is at the other end of the connection.
        clock: the plant's time.
        reader: telemetry, forecasts, quotes and events.
        sites: the sites that tools may name, by name.
        limits: what the assets can do and the guardrails allow, for this plant.
        currency: of the prices.
        outlook: expected net load of the hours beyond the forecast; None where none was learnt.
        knowledge: the index of regulation documents; None while there is none.
        explainer: says what drives a forecast; None where there is no model here.
        desk: the state of the assets, and where :meth:`propose` takes a proposal.
        call: the call that this context serves.
        progress: tells a caller who asked how far a long call is; a plain function that never waits,
            to be called from the tool or from a thread of its own.
    """

    principal: Principal
    clock: Clock
    reader: SeriesReader
    sites: Mapping[str, SiteInfo]
    limits: PlantLimits
    currency: str
    outlook: Outlook | None
    knowledge: Index | None
    desk: DeskView = field(repr=False)
    explainer: Explainer | None = None
    call: ToolCall | None = None
    progress: Progress = field(default=no_progress, repr=False)

    def __post_init__(self) -> None:
        views = {
            "clock": view_of(Clock, self.clock),
            "reader": view_of(SeriesReader, self.reader),
            "sites": frozen_mapping(self.sites),
            "knowledge": view_of(Index, self.knowledge),
            "desk": view_of(DeskView, self.desk),
            "explainer": view_of(Explainer, self.explainer),
        }
        for name, view in views.items():
            object.__setattr__(self, name, view)

    def site(self, name: str) -> SiteInfo:
        """The site of that name.

        Raises:
            ToolInputError: for a site that is not known, naming those that are.
        """
        try:
            return self.sites[name]
        except KeyError:
            known = ", ".join(sorted(self.sites))
            raise ToolInputError(f"site={name!r} is not known; use one of: {known}") from None

    def halt(self, reason: str) -> tuple[Halt, bool]:
        """Halt the autonomy, as the connection's principal; the halt in force, and whether it is new.

        Raises:
            ToolScopeError: when the tool did not declare that it acts.
        """
        if self.call is None or self.call.effect != "act":
            raise ToolScopeError("only a tool with effect='act', called through the server, may halt")
        desk: Desk = behind(self.desk)
        return desk.halt(self.principal, reason)

    async def propose(
        self,
        *,
        asset: AssetName,
        power_kw: float,
        duration_s: float,
        reason: str,
        lower_kw: float | None = None,
        upper_kw: float | None = None,
        event_id: str | None = None,
        forecast_issued_at: str | None = None,
        expected_effect: str = "",
        expected_cost_usd: float | None = None,
        idempotency_key: str | None = None,
    ) -> DispatchOutcome:
        """Ask for an asset to be held at a power; the guardrails decide.

        Args:
            asset: ``battery`` or ``peaker``.
            power_kw: wanted power, positive injects into the grid.
            duration_s: how long, from when it is accepted.
            reason: one sentence for people.
            lower_kw, upper_kw: the range left to proposals of lower priority; None leaves none.
            event_id: the instability event that it answers.
            forecast_issued_at: ISO time of the forecast that it rests on.
            expected_effect: what it should do, in words.
            expected_cost_usd: negative is a gain; None is unknown.
            idempotency_key: the same key never acts twice; a fresh one when None.

        Raises:
            ToolScopeError: when the tool did not declare that it acts.
        """
        if self.call is None or self.call.effect != "act":
            raise ToolScopeError("only a tool with effect='act', called through the server, may propose")
        desk: Desk = behind(self.desk)
        return desk.propose(
            asset=asset,
            power_kw=power_kw,
            duration_s=duration_s,
            reason=reason,
            lower_kw=lower_kw,
            upper_kw=upper_kw,
            event_id=event_id,
            forecast_issued_at=forecast_issued_at,
            expected_effect=expected_effect,
            expected_cost_usd=expected_cost_usd,
            idempotency_key=idempotency_key,
            principal=self.principal,
            tool=self.call.tool,
            arguments=self.call.arguments,
        )


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool plugin.

    Attributes:
        name: snake_case verb_noun, as agents call it.
        title: for people.
        description: one or two sentences for the agent; never text from documents or devices.
        effect: ``read`` changes nothing; ``act`` may propose dispatches.
        scope: what the caller's principal must hold: ``grid:read`` or ``grid:dispatch``.
        input_model, output_model: the request and the answer.
        run: the function.
        toolset: the group by which a server chooses tools (``--toolsets``): ``grid``, ``market``,
            ``dispatch``, ``knowledge``, or one of a plugin's own.

    Raises:
        ToolDefinitionError: when the definition contradicts itself. No tool may approve.
    """

    name: str
    title: str
    description: str
    effect: Effect
    scope: str
    input_model: type[ToolInput]
    output_model: type[ToolOutput]
    run: Callable[[Any, ToolContext], Awaitable[ToolOutput]]
    toolset: str = "custom"

    def __post_init__(self) -> None:
        wanted = {"read": SCOPE_READ, "act": SCOPE_DISPATCH}.get(self.effect)
        if self.scope == SCOPE_APPROVE:
            raise ToolDefinitionError(
                f"tool {self.name!r}: no tool may approve; use {SCOPE_READ} or {SCOPE_DISPATCH}"
            )
        if wanted is None or (self.effect == "act" and self.scope != wanted):
            raise ToolDefinitionError(
                f"tool {self.name!r}: effect={self.effect!r} with scope={self.scope!r};"
                f" use read with {SCOPE_READ}, or act with {SCOPE_DISPATCH}"
            )
        if not inspect.iscoroutinefunction(self.run):
            raise ToolDefinitionError(
                f"tool {self.name!r}: run={self.run!r} is no async function;"
                " write async def run(request, context)"
            )
        for field_name in ("title", "description"):
            text = getattr(self, field_name)
            if not isinstance(text, str) or not text.strip():
                raise ToolDefinitionError(f"tool {self.name!r}: {field_name}={text!r}; say it in words")
        if not self.name.isidentifier() or not self.name.islower():
            raise ToolDefinitionError(f"tool {self.name!r}: name it in snake_case, such as get_grid_status")
        if not self.toolset.isidentifier() or not self.toolset.islower():
            raise ToolDefinitionError(
                f"tool {self.name!r}: toolset={self.toolset!r}; name it in snake_case, such as ev_charging"
            )
        if not issubclass(self.input_model, ToolInput) or not issubclass(self.output_model, ToolOutput):
            raise ToolDefinitionError(f"tool {self.name!r}: derive its models from ToolInput and ToolOutput")
        try:
            self.input_model.model_json_schema()
            self.output_model.model_json_schema(mode="serialization")
        except PydanticUserError as error:
            raise ToolDefinitionError(
                f"tool {self.name!r}: its models have no JSON schema ({error.message}); use JSON's types"
            ) from error
