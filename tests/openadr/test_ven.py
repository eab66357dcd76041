"""Events on a real plant: what they move, what stops them, what the VTN is told."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from dispatch.flags import halt, resume
from dispatch.schema import audit
from policies.principal import local_principal, operator_principal
from smartgrid.openadr.errors import VtnError
from smartgrid.openadr.signals import Event, Response
from smartgrid.openadr.ven import VirtualEndNode
from tests.grid_supervisor.conftest import START, Plant, Script
from tests.openadr.conftest import BATTERY, PEAKER, VEN, ScriptedVtn, event

pytestmark = pytest.mark.anyio

ANA, BEN = local_principal("ana"), operator_principal("ben")
START_PEAKER = event("DISPATCH_SETPOINT", -500.0, targets=frozenset({PEAKER}), minutes=60.0)


async def looks(ven: VirtualEndNode, vtn: ScriptedVtn, *said: Event) -> list[tuple[str, str, float | None]]:
    """What a look brings: asset, state, power."""
    vtn.said = said
    return [(one.asset, one.state, one.power_kw) for one in await ven.tick()]


def battery_kw(plant: Plant) -> float:
    return plant.act().battery_kw


def denials(plant: Plant) -> int:
    with plant.ledger.reading() as connection:
        kinds = connection.execute(select(audit.c.kind)).scalars()
        return list(kinds).count("proposal_denied")


async def test_both_assets_are_offered_with_their_powers(ven: VirtualEndNode, vtn: ScriptedVtn) -> None:
    await ven.enrol()
    assert [(one.asset, one.max_export_kw, one.max_consumption_kw) for one in vtn.offers] == [
        ("battery", 1_000.0, 1_000.0),
        ("peaker", 1_000.0, 0.0),
    ]


async def test_a_setpoint_moves_the_battery_until_its_interval_ends(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    assert await looks(ven, vtn, event("DISPATCH_SETPOINT", -400.0)) == [("battery", "accepted", 400.0)]
    assert battery_kw(plant) == 400.0
    plant.advance(5)
    assert await looks(ven, vtn, *vtn.said) == []
    assert battery_kw(plant) == 400.0
    plant.advance(1)
    assert await looks(ven, vtn, *vtn.said) == []
    assert battery_kw(plant) == 0.0
    assert [(row.requester, row.priority) for row in plant.accepted()] == [(VEN.subject, VEN.priority)]


async def test_a_positive_setpoint_charges(ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant) -> None:
    assert await looks(ven, vtn, event("DISPATCH_SETPOINT", 250.0)) == [("battery", "accepted", -250.0)]
    assert battery_kw(plant) == -250.0


async def test_an_event_that_has_not_begun_moves_nothing(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    assert await looks(ven, vtn, event(start=START + timedelta(minutes=5))) == []
    assert plant.accepted() == []
    plant.advance(1)
    assert await looks(ven, vtn, *vtn.said) == [("battery", "accepted", 400.0)]


async def test_looking_often_asks_once(ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant) -> None:
    for _ in range(5):
        await looks(ven, vtn, event())
    assert len(plant.accepted()) == 1
    assert len(vtn.told) == 1


async def test_a_deleted_event_gives_the_battery_back(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    await looks(ven, vtn, event())
    assert battery_kw(plant) == 400.0
    await looks(ven, vtn)
    plant.advance(1)
    assert battery_kw(plant) == 0.0


async def test_a_changed_event_replaces_what_it_asked_before(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    await looks(ven, vtn, event("DISPATCH_SETPOINT", -400.0))
    changed = event("DISPATCH_SETPOINT", -100.0, modified_at=START)
    assert await looks(ven, vtn, changed) == [("battery", "accepted", 100.0)]
    assert battery_kw(plant) == 100.0


async def test_a_change_leaves_no_gap_between_the_old_claim_and_the_new(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    await looks(ven, vtn, event("DISPATCH_SETPOINT", -400.0))
    await looks(ven, vtn, event("DISPATCH_SETPOINT", -100.0, modified_at=START))
    assert [row.power_kw for row in plant.accepted()] == [400.0, 100.0]


async def test_a_changed_event_that_is_refused_leaves_nothing_of_the_old_one(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    await looks(ven, vtn, event("DISPATCH_SETPOINT", -400.0))
    changed = event("DISPATCH_SETPOINT", -100.0, unit="MW", modified_at=START)
    assert await looks(ven, vtn, changed) == [("battery", "declined", None)]
    plant.advance(1)
    assert battery_kw(plant) == 0.0


async def test_of_two_events_the_lower_priority_number_wins(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    weak = event("DISPATCH_SETPOINT", -100.0, event_id="weak")
    strong = event("DISPATCH_SETPOINT", -300.0, event_id="strong", priority=0)
    assert await looks(ven, vtn, weak, strong) == [("battery", "accepted", 300.0)]


async def test_a_long_interval_is_asked_for_hour_by_hour_without_a_gap(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    long = event("DISPATCH_SETPOINT", -100.0, minutes=150.0)
    powers = []
    for _ in range(30):
        await looks(ven, vtn, long)
        plant.advance(1)
        powers.append(battery_kw(plant))  # the owner may act before the next look
    assert powers == [100.0] * 29 + [0.0]
    assert len(plant.accepted()) == 3


async def test_too_much_is_clipped_and_the_vtn_learns_the_power_that_is_left(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    assert await looks(ven, vtn, event("DISPATCH_SETPOINT", -9_000.0)) == [("battery", "accepted", 1_000.0)]
    assert vtn.told[0].power_kw == 1_000.0


async def test_stale_telemetry_denies_an_event_and_it_is_tried_again_in_the_next_interval(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    plant.metering = False
    plant.advance(3)
    long = event(minutes=120.0)
    assert await looks(ven, vtn, long) == [("battery", "denied", None)]
    assert await looks(ven, vtn, long) == []
    assert denials(plant) == 1
    plant.metering = True
    plant.advance(1)
    assert await looks(ven, vtn, long) == [("battery", "accepted", 400.0)]


async def test_a_halt_stops_events_too(ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant) -> None:
    await looks(ven, vtn, event())
    halt(plant.ledger, ANA, "drill", plant.clock.now())
    assert battery_kw(plant) == 0.0
    changed = event("DISPATCH_SETPOINT", -100.0, modified_at=START)
    assert await looks(ven, vtn, changed) == [("battery", "denied", None)]


async def test_after_a_halt_an_event_that_still_holds_moves_the_battery_again(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    said = event(minutes=60.0)
    await looks(ven, vtn, said)
    halt(plant.ledger, ANA, "drill", plant.clock.now())
    assert await looks(ven, vtn, said) == [("battery", "denied", None)]
    resume(plant.ledger, BEN, "over", plant.clock.now())
    plant.advance(1)
    assert await looks(ven, vtn, said) == [("battery", "accepted", 400.0)]
    assert battery_kw(plant) == 400.0


async def test_a_peaker_start_waits_for_an_operator_and_starts_once_approved(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    assert await looks(ven, vtn, START_PEAKER) == [("peaker", "waiting", None)]
    plant.advance(1)
    assert await looks(ven, vtn, START_PEAKER) == []
    [asked] = plant.approvals.list("PENDING")
    plant.approvals.approve(asked.approval_id, BEN, reason="agreed")
    assert await looks(ven, vtn, START_PEAKER) == [("peaker", "accepted", 500.0)]
    assert plant.act().peaker_kw == 500.0
    assert plant.approvals.list("PENDING") == []


async def test_a_restart_neither_asks_twice_nor_loses_an_approval(
    again: Callable[[], VirtualEndNode], vtn: ScriptedVtn, plant: Plant
) -> None:
    await looks(again(), vtn, START_PEAKER)
    plant.advance(1)
    await looks(again(), vtn, START_PEAKER)
    [asked] = plant.approvals.list("PENDING")
    plant.approvals.approve(asked.approval_id, BEN, reason="agreed")
    plant.advance(1)
    assert await looks(again(), vtn, START_PEAKER) == [("peaker", "accepted", 500.0)]
    await looks(again(), vtn, START_PEAKER)
    assert len(plant.accepted(asset="peaker")) == 1
    plant.advance(1)
    assert await looks(again(), vtn, START_PEAKER) == [("peaker", "accepted", None)]
    assert len(plant.accepted(asset="peaker")) == 1


async def test_an_operators_no_is_told_as_denied(ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant) -> None:
    await looks(ven, vtn, START_PEAKER)
    [asked] = plant.approvals.list("PENDING")
    plant.approvals.deny(asked.approval_id, BEN, reason="maintenance")
    assert await looks(ven, vtn, START_PEAKER) == [("peaker", "denied", None)]
    assert await looks(ven, vtn, START_PEAKER) == []


async def test_response_outranks_an_event_and_an_event_outranks_trading(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    script, trader = Script(), Script()
    await looks(ven, vtn, event("DISPATCH_SETPOINT", -400.0))
    trader.wants("battery", -700.0)
    async with plant.loop(trader, "trading") as trading:
        await trading.tick()
    assert battery_kw(plant) == 400.0
    script.wants("battery", 900.0)
    async with plant.loop(script, "response") as response:
        await response.tick()
    assert battery_kw(plant) == 900.0
    plant.advance(1)
    assert battery_kw(plant) == 400.0


async def test_a_vtn_that_is_away_changes_nothing_that_runs(
    ven: VirtualEndNode, vtn: ScriptedVtn, plant: Plant
) -> None:
    await looks(ven, vtn, event())
    vtn.away = True
    with pytest.raises(VtnError):
        await ven.tick()
    assert battery_kw(plant) == 400.0
    plant.advance(6)
    assert battery_kw(plant) == 0.0


async def test_a_response_that_could_not_be_told_is_told_at_the_next_look(
    ven: VirtualEndNode, vtn: ScriptedVtn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(responses: tuple[Response, ...]) -> None:
        raise VtnError("no reports today")

    with monkeypatch.context() as patched:
        patched.setattr(vtn, "report", refuse)
        await looks(ven, vtn, event())
    await looks(ven, vtn, event())
    assert [one.state for one in vtn.told] == ["accepted"]


async def test_level_three_asks_for_both_assets(ven: VirtualEndNode, vtn: ScriptedVtn) -> None:
    said = event("SIMPLE", 3.0, unit=None, targets=frozenset())
    assert sorted(await looks(ven, vtn, said)) == [
        ("battery", "accepted", 1_000.0),
        ("peaker", "waiting", None),
    ]
    level_zero = replace(event("SIMPLE", 0.0, unit=None, targets=frozenset()), modified_at=START)
    assert await looks(ven, vtn, level_zero) == []


async def test_an_event_for_others_targets_reaches_what_its_own_names(
    ven: VirtualEndNode, vtn: ScriptedVtn
) -> None:
    both = frozenset({BATTERY, "somebody-else"})
    assert await looks(ven, vtn, event(targets=both)) == [("battery", "accepted", 400.0)]
