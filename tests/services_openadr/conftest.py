"""A real VTN on a database of its own, and the business behind it, which speaks plain HTTP."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from mcp import Client

from smartgrid.openadr.ven import VirtualEndNode, ven_principal
from smartgrid.openadr.vtn import HttpVtn, VtnAddress
from tests.grid_supervisor.conftest import Plant
from tests.services_openadr.business import Business
from tests.services_openadr.server import RealVtn, running_vtn

VEN_NAME = "acme"

collect_ignore_glob = [] if "SMARTGRID_OPENADR_VTN" in os.environ else ["test_*.py"]
"""Nothing is tested without a VTN; run.sh brings one."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[RealVtn]:
    """Runs as long as the tests, in a folder that its database may enter where pytest runs as root."""
    binary = Path(os.environ["SMARTGRID_OPENADR_VTN"])
    with TemporaryDirectory(prefix="vtn") as folder, running_vtn(binary, Path(folder)) as running:
        yield running


@pytest.fixture
def business(server: RealVtn) -> Iterator[Business]:
    """Whoever publishes programs and events; what it made is gone afterwards."""
    with Business(server) as made:
        yield made


@pytest.fixture(scope="session")
def address(server: RealVtn) -> VtnAddress:
    """With the credentials of our one client: each costs the VTN a slow hash."""
    word = secrets.token_hex(12)
    with Business(server) as business:
        return VtnAddress(server.url, business.new_client(word), word, insecure=True)


@pytest.fixture(scope="session")
def vtn(address: VtnAddress) -> Iterator[HttpVtn]:
    """The VTN as our virtual end node sees it."""
    with closing(HttpVtn(address, VEN_NAME)) as made:
        yield made


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """At noon on a quiet day; battery 1 MW and 2 MWh, half full, peaker 1 MW."""
    made = Plant(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def ven(plant: Plant, vtn: HttpVtn) -> AsyncIterator[VirtualEndNode]:
    """Enrolled, without targets."""
    principal = ven_principal(VEN_NAME)
    async with Client(plant.workplace.server_for(principal)) as client:
        made = VirtualEndNode(client, vtn, principal.subject)
        await made.enrol()
        yield made
