"""What the events in force want of each asset: the strongest wins, in pieces of at most an hour."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from grid_supervisor.calls import Answer
from policies.proposal import AssetName
from smartgrid.openadr.reading import Ask, Declined, read
from smartgrid.openadr.schedule import Span, in_force
from smartgrid.openadr.signals import Event, Payload, Response

PIECE = timedelta(hours=1)
"""A longer interval is asked for piece by piece: a lost VTN moves an asset for no longer than this."""
_WEAKEST = float("inf")


@dataclass(frozen=True, slots=True)
class Wish:
    """What an event wants of an asset for now.

    Attributes:
        power_kw: positive injects.
        until: its end, excluded.
        key: the same for the same piece of the same interval of an unchanged event.
        reason: for the operator and the audit; as unique as the key.
    """

    event_id: str
    number: int
    asset: AssetName
    power_kw: float
    until: datetime
    key: str
    reason: str


Targets = Mapping[AssetName, frozenset[str]]


def wishes_at(
    events: Sequence[Event], targets: Targets, status: Answer, at: datetime
) -> tuple[dict[AssetName, Wish], list[Response]]:
    """What is wanted at a moment, by asset, and what was declined on the way.

    Args:
        events: of the VTN.
        targets: of our resources.
        status: what get_grid_status said.
        at: the moment.
    """
    wanted: dict[AssetName, Wish] = {}
    declined: list[Response] = []
    for event in sorted(events, key=_rank):
        span = in_force(event, at)
        for one in () if span is None else _read_span(event, span, targets, status, at):
            if isinstance(one, Response):
                declined.append(one)
            else:
                wanted.setdefault(one.asset, one)
    return wanted, declined


def _rank(event: Event) -> tuple[float, float]:
    """Strongest first; of two alike the one that was changed last."""
    priority = _WEAKEST if event.priority is None else event.priority
    return priority, -event.modified_at.timestamp()


def _read_span(
    event: Event, span: Span, targets: Targets, status: Answer, at: datetime
) -> Iterator[Wish | Response]:
    named = {asset for asset, own in targets.items() if own & event.targets}
    for asset in sorted(named or targets):
        for payload in span.interval.payloads:
            wish = read(Ask(event, payload, asset, asset in named, status, span.end - at))
            if isinstance(wish, Declined):
                yield Response(event.event_id, span.interval.number, asset, "declined", None, wish.why)
            elif wish is not None:
                yield _wish(event, span, payload, (asset, wish), at)


def _wish(event: Event, span: Span, payload: Payload, move: tuple[AssetName, float], at: datetime) -> Wish:
    asset, power_kw = move
    piece = (at - span.start) // PIECE
    left_of_piece = PIECE - (at - span.start) % PIECE
    version, number = event.modified_at.isoformat(), span.interval.number
    return Wish(
        event_id=event.event_id,
        number=number,
        asset=asset,
        power_kw=power_kw,
        until=at + min(left_of_piece, span.end - at),
        key=f"openadr/{event.event_id}/{number}/{version}/{asset}/{piece}",
        reason=f"OpenADR {payload.kind} {payload.values[0]}, event {event.event_id} of {version},"
        f" interval {number}, part {piece}",
    )
