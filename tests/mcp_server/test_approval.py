import asyncio
from typing import Any

import pytest
from mcp import Client
from sqlalchemy import select

from dispatch.schema import approvals, proposals
from tests.mcp_server.calling import WISH, answer
from tests.mcp_server.conftest import MODES
from tests.tools.small_grid import OPERATOR, SmallGrid

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("mode", MODES)]

PARALLEL = 5


def accepted(plant: SmallGrid) -> list[Any]:
    with plant.ledger.reading() as connection:
        return list(connection.execute(select(proposals.c.id, proposals.c.approval_id, proposals.c.power_kw)))


def states(plant: SmallGrid) -> list[str]:
    with plant.ledger.reading() as connection:
        return list(connection.execute(select(approvals.c.state).order_by(approvals.c.id)).scalars())


async def test_a_peaker_start_waits_for_an_operator_and_acts_exactly_once_when_repeated(
    plant: SmallGrid, mode: str
) -> None:
    async with Client(plant.server(), mode=mode) as client:
        first = await answer(client, "dispatch_peaker", **WISH)
        again = await answer(client, "dispatch_peaker", **WISH)
        assert [first["status"], again["status"]] == ["pending_approval"] * 2
        assert first["approval_id"] == again["approval_id"]
        assert accepted(plant) == []

        plant.approvals.approve(first["approval_id"], OPERATOR, "agreed")
        calls = [answer(client, "dispatch_peaker", **WISH) for _ in range(PARALLEL)]
        outcomes = await asyncio.gather(*calls)
    assert sorted(outcome["status"] for outcome in outcomes) == ["accepted"] + ["pending_approval"] * 4
    assert accepted(plant) == [(1, int(first["approval_id"]), 20.0)]
    assert states(plant) == ["CONSUMED", "PENDING"]
    plant.advance()
    assert plant.owner.readings().peaker.power_kw == 20.0


async def test_an_approval_does_not_cover_a_changed_argument(plant: SmallGrid, mode: str) -> None:
    async with Client(plant.server(), mode=mode) as client:
        first = await answer(client, "dispatch_peaker", **WISH)
        plant.approvals.approve(first["approval_id"], OPERATOR, "agreed")
        for changed in ({"power_kw": 21.0}, {"duration_min": 61.0}, {"reason": "another one"}):
            other = await answer(client, "dispatch_peaker", **WISH | changed)
            assert (other["status"], other["approval_id"] == first["approval_id"]) == (
                "pending_approval",
                False,
            )
    assert accepted(plant) == []


async def test_a_denied_start_stays_denied_and_says_by_whom_and_why(plant: SmallGrid, mode: str) -> None:
    async with Client(plant.server(), mode=mode) as client:
        first = await answer(client, "dispatch_peaker", **WISH)
        plant.approvals.deny(first["approval_id"], OPERATOR, "the gas is short")
        again = await answer(client, "dispatch_peaker", **WISH)
    assert (again["status"], again["power_kw"]) == ("denied", None)
    assert "operator:ben denied approval 1: the gas is short" in again["next_step"]
    assert accepted(plant) == []


async def test_an_expired_approval_is_asked_for_anew(plant: SmallGrid, mode: str) -> None:
    async with Client(plant.server(), mode=mode) as client:
        first = await answer(client, "dispatch_peaker", **WISH)
        plant.approvals.approve(first["approval_id"], OPERATOR, "agreed")
        plant.clock.advance(plant.limits.approval_expires_s)
        again = await answer(client, "dispatch_peaker", **WISH)
    assert again["status"] == "pending_approval"
    assert again["approval_id"] != first["approval_id"]


async def test_the_same_key_acts_once_whether_or_not_it_needed_an_approval(
    plant: SmallGrid, mode: str
) -> None:
    keyed = WISH | {"idempotency_key": "ramp of 18:00"}
    async with Client(plant.server(), mode=mode) as client:
        battery = [await answer(client, "discharge_battery", **keyed) for _ in range(3)]
        assert {outcome["proposal_id"] for outcome in battery} == {"1"}
        other = keyed | {"power_kw": 5.0}
        clash = await answer(client, "discharge_battery", **other)
        assert (clash["status"], clash["findings"][0]["rule"]) == ("denied", "idempotency_key")

        start = WISH | {"idempotency_key": "peaker of 18:00"}
        pending = await answer(client, "dispatch_peaker", **start)
        plant.approvals.approve(pending["approval_id"], OPERATOR, "agreed")
        peaker = [await answer(client, "dispatch_peaker", **start) for _ in range(3)]
        assert [outcome["status"] for outcome in peaker] == ["accepted"] * 3
        assert {outcome["proposal_id"] for outcome in peaker} == {"2"}
    assert [row.power_kw for row in accepted(plant)] == [20.0, 20.0]
    assert states(plant) == ["CONSUMED"]
