"""The loops and the kill switch in the process that owns the plant."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from mcp import Client
from sqlalchemy import select

from dispatch.flags import halt_of
from dispatch.schema import audit, proposals
from grid.clock import SimulatedClock
from policies.principal import local_principal
from smartgrid.embedded_plant import EmbeddedPlant
from smartgrid.settings import Settings

pytestmark = pytest.mark.anyio

BORDER = datetime(2026, 3, 1, 6, 55, tzinfo=UTC)
PULSES_AN_INTERVAL = 60


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def state(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "state" / "model")
    return tmp_path / "state"


def opened(state: Path, *loops: str, shadow: bool = False) -> EmbeddedPlant:
    settings = Settings(state=state, kafka=None, influx_url=None, shadow=shadow)
    return EmbeddedPlant(settings, loops, SimulatedClock(BORDER))


async def test_the_owner_obeys_the_halt_file_where_no_loop_runs(state: Path) -> None:
    async with opened(state) as plant:
        async with Client(plant.workplace.server_for(local_principal("ana"))) as client:
            asked = {"power_kw": 2000.0, "duration_min": 60, "reason": "a test"}
            await client.call_tool("discharge_battery", asked)
            await act(plant)
            assert await battery_setpoint_kw(client) == 2000
            (state / "halt").touch()
            await act(plant)
            assert await battery_setpoint_kw(client) == 0
        with plant.workplace.ledger.reading() as connection:
            assert halt_of(connection) is not None


async def act(plant: EmbeddedPlant) -> None:
    """Let the owner act once; the next pulse reports it."""
    for _ in range(2):
        await plant.step()


async def battery_setpoint_kw(client: Client) -> float:
    status = (await client.call_tool("get_grid_status", {})).structured_content
    assert status is not None
    return float(status["battery"]["setpoint_kw"])


async def test_the_owner_finishes_its_pulse_when_it_is_told_to_stop(state: Path) -> None:
    stopped = anyio.Event()
    settings = Settings(state=state, kafka=None, influx_url=None, pulse_s=0.001)

    async with EmbeddedPlant(settings, (), SimulatedClock(BORDER), stopped=stopped) as plant:
        begun, acted = plant.workplace.clock.now(), plant.step

        async def stop_meanwhile() -> None:
            stopped.set()
            await acted()

        plant.step = stop_meanwhile  # type: ignore[method-assign]
        await plant.run()
        assert plant.workplace.clock.now() - begun == timedelta(seconds=5)


async def test_a_shadow_in_the_owners_process_records_and_proposes_nothing(state: Path) -> None:
    async with opened(state, "response", "trading", shadow=True) as plant:
        for _ in range(PULSES_AN_INTERVAL + 1):
            await plant.step()
        with plant.workplace.ledger.reading() as connection:
            made = list(connection.execute(select(proposals.c.id)))
            kinds = select(audit.c.actor).where(audit.c.kind == "shadow_decision")
            actors = set(connection.execute(kinds).scalars())
    assert made == []
    assert "supervisor:trading" in actors
