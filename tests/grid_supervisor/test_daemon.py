from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from dispatch.errors import LeaseLostError
from grid_supervisor.daemon import Daemon
from grid_supervisor.results import TickResult
from grid_supervisor.supervisor import Supervisor

if TYPE_CHECKING:
    from tests.grid_supervisor.conftest import Plant

pytestmark = pytest.mark.anyio


class Border:
    """The interval that the plant has come to, and how often the lease was renewed."""

    def __init__(self) -> None:
        self.start: datetime | None = None
        self.renewed = 0
        self.lost = False

    def interval_start(self) -> datetime | None:
        return self.start

    def renew(self) -> None:
        if self.lost:
            raise LeaseLostError("owner-2 has the lease")
        self.renewed += 1


async def test_the_loops_tick_once_in_each_interval_however_often_it_is_asked(plant: "Plant") -> None:
    border = Border()
    async with plant.supervisor() as supervisor:
        daemon = Daemon(supervisor, border.interval_start, border.renew)
        assert await daemon.step() is None  # there is no plant yet
        ticks = []
        for _ in range(2):
            border.start = plant.clock.now()
            ticks += [await daemon.step() for _ in range(3)]
            plant.advance()
    assert [tick is not None for tick in ticks] == [True, False, False] * 2
    assert border.renewed == 7


async def test_a_lost_lease_ends_the_daemon_before_it_acts(plant: "Plant") -> None:
    border = Border()
    border.start, border.lost = plant.clock.now(), True
    async with plant.supervisor() as supervisor:
        with pytest.raises(LeaseLostError):
            await Daemon(supervisor, border.interval_start, border.renew).step()
    assert plant.accepted() == []


async def test_a_tick_that_broke_is_tried_again_in_its_interval(plant: "Plant") -> None:
    ticks = []

    class Breaks(Supervisor):
        async def tick(self) -> TickResult:
            ticks.append(plant.clock.now())
            if len(ticks) == 1:
                raise OSError("the disk is full")
            return TickResult(())

    daemon = Daemon(Breaks({}, InMemorySaver()), plant.clock.now, lambda: None)
    with pytest.raises(OSError, match="full"):
        await daemon.step()
    assert await daemon.step() is not None
    assert await daemon.step() is None


async def test_whoever_listens_is_told_what_each_tick_did(plant: "Plant") -> None:
    told: list[TickResult] = []
    async with plant.supervisor() as supervisor:
        daemon = Daemon(supervisor, plant.clock.now, lambda: None, [told.append])
        result = await daemon.step()
        await daemon.step()
    assert told == [result]
