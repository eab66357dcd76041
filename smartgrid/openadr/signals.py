"""What a virtual top node (VTN) says, as far as it concerns us. Powers and signs are still OpenADR's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol

from policies.proposal import AssetName

Value = float | int | str | bool
ResponseState = Literal["accepted", "waiting", "denied", "declined"]
"""Acting; waits for an operator; refused by a guardrail or an operator; means nothing to us."""


@dataclass(frozen=True, slots=True)
class Period:
    """A time span.

    Attributes:
        start: None for "the beginning of time", which joins it to what is before it.
    """

    start: datetime | None
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Payload:
    """One signal, e.g. ``DISPATCH_SETPOINT``, with its values."""

    kind: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """Signals for a while; the event's own period where ``period`` is None."""

    number: int
    payloads: tuple[Payload, ...]
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a program.

    Attributes:
        modified_at: a changed event is another wish.
        priority: the lower the stronger, 0 the strongest; None is the weakest.
        targets: whom it means; none means everybody who may read it.
        period: start of the first interval, and the length of each that has none of its own.
        duration: shortens the event; None where its intervals say all.
        units: by kind of payload, of the event or else of its program.
    """

    event_id: str
    modified_at: datetime
    intervals: tuple[Interval, ...]
    priority: int | None = None
    targets: frozenset[str] = frozenset()
    period: Period | None = None
    duration: timedelta | None = None
    units: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """An asset as the VTN is told of it; powers in kW, both positive."""

    asset: AssetName
    max_export_kw: float
    max_consumption_kw: float


@dataclass(frozen=True, slots=True)
class Response:
    """What became of a signal at one asset.

    Attributes:
        power_kw: accepted power, positive injects; None unless accepted.
        detail: in words: the server's next step, or why it was declined; two that say the same are equal.
    """

    event_id: str
    number: int
    asset: AssetName
    state: ResponseState
    power_kw: float | None
    detail: str = field(compare=False)


class Vtn(Protocol):
    """A VTN, as one virtual end node sees it.

    Raises:
        VtnError: from every method, when it cannot be reached or answers with what cannot be used.
    """

    def enrol(self, offers: tuple[Offer, ...]) -> None:
        """Make the virtual end node and its resources known, where they are not yet."""
        ...

    def targets(self) -> Mapping[AssetName, frozenset[str]]:
        """By which targets each of our resources is meant; the VTN's side grants them."""
        ...

    def events(self) -> tuple[Event, ...]:
        """All events that we may read."""
        ...

    def report(self, responses: tuple[Response, ...]) -> None:
        """Tell what became of signals; all of one event."""
        ...
