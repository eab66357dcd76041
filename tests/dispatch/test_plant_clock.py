"""The plant's clock, as processes beside its owner read it."""

from datetime import timedelta

import pytest

from dispatch.errors import LedgerError
from dispatch.lease import SUPERVISOR, Lease
from dispatch.plant_clock import ClockReading, LedgerClock, write_plant_clock
from tests.dispatch.conftest import START, Plant


def written(plant: Plant, *, wall_s: float, pace: float) -> None:
    with plant.ledger.transaction() as transaction:
        write_plant_clock(transaction.connection, ClockReading(START, wall_s, pace))


def test_plant_time_goes_on_by_wall_time_and_its_pace_when_the_owner_is_silent(plant: Plant) -> None:
    written(plant, wall_s=1_000.0, pace=50.0)
    wall_s = [1_000.0]
    clock = LedgerClock(plant.ledger, lambda: wall_s[0])
    assert clock.now() == START
    wall_s[0] += 2.0
    assert clock.now() == START + timedelta(seconds=100)


def test_plant_time_never_goes_back_for_a_host_whose_clock_is_behind(plant: Plant) -> None:
    written(plant, wall_s=1_000.0, pace=1.0)
    assert LedgerClock(plant.ledger, lambda: 990.0).now() == START


def test_before_the_first_tick_there_is_no_time_and_the_error_says_what_to_start(plant: Plant) -> None:
    with pytest.raises(LedgerError, match="smartgrid up"):
        LedgerClock(plant.ledger, lambda: 0.0).now()


def test_the_executor_writes_the_clock_with_its_pace(plant: Plant) -> None:
    plant.wall_s = 77.0
    plant.run()
    clock = LedgerClock(plant.ledger, lambda: 87.0)
    assert clock.now() == START + timedelta(seconds=10)


def test_the_supervisors_lease_is_another_than_the_plants(plant: Plant) -> None:
    loops = Lease(plant.ledger, "daemon-1", lambda: 0.0, role=SUPERVISOR)
    assert loops.acquire()
    assert not Lease(plant.ledger, "daemon-2", lambda: 0.0, role=SUPERVISOR).acquire()
    assert plant.lease.holder() == "owner-1"
    loops.release()
    assert Lease(plant.ledger, "daemon-2", lambda: 0.0, role=SUPERVISOR).acquire()
