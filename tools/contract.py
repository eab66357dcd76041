"""The plugin contract: what a tool is, and all that it may see and do.

A tool is a plain async function ``run(request, context)`` with a pydantic model on each side, so
it is tested without any server. It reads through the context's views and acts only through
:meth:`ToolContext.propose`, which the guardrails stand behind.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol, get_args

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic.errors import PydanticUserError

from dispatch.service import DispatchOutcome
from grid.clock import Clock
from grid.drivers import AssetReadings
from grid.units import require_utc
from knowledge.index import Index
from pipeline.forecasting.drivers import Explainer
from pipeline.outlook import Outlook
from pipeline.store import SeriesReader
from policies.limits import PlantLimits
from policies.principal import SCOPE_APPROVE, SCOPE_DISPATCH, SCOPE_READ, Principal
from policies.proposal import AssetName
from tools.errors import ToolDefinitionError, ToolInputError, ToolScopeError

Effect = Literal["read", "act"]


def _usable_utc(value: datetime) -> datetime:
    if not 1970 <= value.year <= 2200:
        raise ValueError("give a year from 1970 to 2200")
    return require_utc(value, "time")


def _no_bare_number(value: Any) -> Any:
    """pydantic takes a number for seconds since 1970: "2024" would be half an hour past its midnight."""
    with suppress(OverflowError):
        try:
            float(value)
        except (TypeError, ValueError):
            return value
    raise ValueError("give ISO-8601 with an offset, such as 2026-01-31T12:00:00Z")


UtcTime = Annotated[AwareDatetime, BeforeValidator(_no_bare_number), AfterValidator(_usable_utc)]
"""A moment: ISO-8601 with an offset at the edge (a naive one or a number is refused), UTC inside."""

SiteName = Annotated[str, Field(description="metered site", min_length=1, max_length=100)]


class ToolInput(BaseModel):
    """Base of every tool's input: unknown fields, NaN, infinities and true as a number are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        kind = cls.model_fields[info.field_name or ""].annotation
        kinds = (kind, *get_args(kind))
        if isinstance(value, bool) and bool not in kinds and (int in kinds or float in kinds):
            raise ValueError("true and false are no numbers; give a number")
        return value


class ToolOutput(BaseModel):
    """Base of every tool's output: what is missing is None, never NaN and never 0."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)


@dataclass(frozen=True, slots=True)
class SiteInfo:
    """A metered site that the tools may name.

    Attributes:
        cadence_s: nominal seconds between pulses.
        tz: IANA time zone of its local day.
        parent: the area that it belongs to.
    """

    name: str
    cadence_s: float
    tz: str = "UTC"
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class AssetsView:
    """What the assets did so far; what they can do is in the limits.

    Attributes:
        readings: what the devices last reported; None before their first report.
        cycles_today: equivalent full cycles of the battery since local midnight.
        starts_today: starts of the peaker since local midnight.
    """

    readings: AssetReadings | None
    cycles_today: float
    starts_today: int


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A proposal that waits for, or has, a human's decision and has not been carried out.

    Attributes:
        state: ``pending``, ``approved`` or ``denied``.
        rules: the names of the guardrails that asked for it.
    """

    approval_id: str
    state: Literal["pending", "approved", "denied"]
    tool: str
    asset: str
    power_kw: float
    duration_s: float
    requester: str
    reason: str
    rules: tuple[str, ...]
    expires_at: datetime


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


class Desk(Protocol):
    """The dispatch desk behind a context: the state of the assets, and where proposals go."""

    def assets(self) -> AssetsView:
        """The assets now."""
        ...

    def halted(self) -> bool:
        """Whether the autonomy is halted."""
        ...

    def approvals(self) -> Sequence[PendingApproval]:
        """Requests that wait for a decision, or were decided and not yet carried out; none expired."""
        ...

    def propose(
        self,
        *,
        asset: AssetName,
        power_kw: float,
        duration_s: float,
        reason: str,
        lower_kw: float | None,
        upper_kw: float | None,
        event_id: str | None,
        forecast_issued_at: str | None,
        expected_effect: str,
        expected_cost_usd: float | None,
        idempotency_key: str | None,
        principal: Principal,
        tool: str,
        arguments: Mapping[str, Any],
    ) -> DispatchOutcome:
        """Judge the proposal; record it and, if nothing forbids it, let it act."""
        ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """All that a tool may see, and its only way to act.

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
    """

    principal: Principal
    clock: Clock
    reader: SeriesReader
    sites: Mapping[str, SiteInfo]
    limits: PlantLimits
    currency: str
    outlook: Outlook | None
    knowledge: Index | None
    desk: Desk = field(repr=False)
    explainer: Explainer | None = None
    call: ToolCall | None = None

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
        return self.desk.propose(
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
        if not self.name.isidentifier() or not self.name.islower():
            raise ToolDefinitionError(f"tool {self.name!r}: name it in snake_case, such as get_grid_status")
        if not issubclass(self.input_model, ToolInput) or not issubclass(self.output_model, ToolOutput):
            raise ToolDefinitionError(f"tool {self.name!r}: derive its models from ToolInput and ToolOutput")
        try:
            self.input_model.model_json_schema()
            self.output_model.model_json_schema(mode="serialization")
        except PydanticUserError as error:
            raise ToolDefinitionError(
                f"tool {self.name!r}: its models have no JSON schema ({error.message}); use JSON's types"
            ) from error
