"""A small real plant, and a VTN that says what the test says; the real VTN is in tests/services_openadr."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mcp import Client

from policies.proposal import AssetName
from smartgrid.openadr.errors import VtnError
from smartgrid.openadr.signals import Event, Interval, Offer, Payload, Period, Response
from smartgrid.openadr.ven import VirtualEndNode, ven_principal
from tests.grid_supervisor.conftest import START, Plant

VEN = ven_principal("acme")
BATTERY, PEAKER = "bat-1", "gt-1"
"""The targets that the VTN's side gave the resources."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def event(
    kind: str = "DISPATCH_SETPOINT",
    *values: float | str,
    unit: str | None = "KW",
    targets: frozenset[str] = frozenset({BATTERY}),
    start: datetime = START,
    minutes: float = 30.0,
    event_id: str = "e1",
    priority: int | None = None,
    modified_at: datetime = START - timedelta(days=1),
) -> Event:
    """An event of one interval."""
    return Event(
        event_id=event_id,
        modified_at=modified_at,
        intervals=(Interval(0, (Payload(kind, values or (-400.0,)),)),),
        priority=priority,
        targets=targets,
        period=Period(start, timedelta(minutes=minutes)),
        units={} if unit is None else {kind: unit},
    )


class ScriptedVtn:
    """Says what the test wrote into ``said``, and keeps what it was told."""

    def __init__(self) -> None:
        self.said: tuple[Event, ...] = ()
        self.offers: tuple[Offer, ...] = ()
        self.told: list[Response] = []
        self.away = False

    def enrol(self, offers: tuple[Offer, ...]) -> None:
        self.offers = offers

    def targets(self) -> Mapping[AssetName, frozenset[str]]:
        return {"battery": frozenset({BATTERY}), "peaker": frozenset({PEAKER})}

    def events(self) -> tuple[Event, ...]:
        if self.away:
            raise VtnError("away")
        return self.said

    def report(self, responses: tuple[Response, ...]) -> None:
        if self.away:
            raise VtnError("away")
        self.told += responses


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """At noon on a quiet day; battery 1 MW and 2 MWh, half full, peaker 1 MW."""
    made = Plant(tmp_path)
    yield made
    made.close()


@pytest.fixture
def vtn() -> ScriptedVtn:
    return ScriptedVtn()


@pytest.fixture
async def ven(plant: Plant, vtn: ScriptedVtn) -> AsyncIterator[VirtualEndNode]:
    async with Client(plant.workplace.server_for(VEN)) as client:
        yield VirtualEndNode(client, vtn, VEN.subject)


@pytest.fixture
async def again(plant: Plant, vtn: ScriptedVtn) -> AsyncIterator[Callable[[], VirtualEndNode]]:
    """Makes one more, as after a restart."""
    async with Client(plant.workplace.server_for(VEN)) as client:
        yield lambda: VirtualEndNode(client, vtn, VEN.subject)


def utc(hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, minute, tzinfo=UTC)
