"""PostgreSQL is killed between, and in the middle of, what the ledger does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from dispatch import receipts
from dispatch.errors import LedgerError
from dispatch.ledger import Ledger
from dispatch.schema import proposals
from policies.principal import operator_principal
from tests.dispatch.conftest import Plant
from tests.services_postgres.server import PrivatePostgres, own_schemas, private_postgres

BEN = operator_principal("ben")


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    with private_postgres() as running:
        yield running


@pytest.fixture
def plant(tmp_path: Path, server: PrivatePostgres) -> Iterator[Plant]:
    with own_schemas(server.url) as fresh:
        made = Plant(tmp_path, url=fresh())
        yield made
        made.ledger.close()


def recorded(ledger: Ledger) -> list[str]:
    with ledger.reading() as connection:
        return list(
            connection.execute(select(proposals.c.idempotency_key).order_by(proposals.c.id)).scalars()
        )


def test_nothing_acknowledged_is_lost_and_nothing_acts_twice_when_the_server_is_killed(
    plant: Plant, server: PrivatePostgres
) -> None:
    acknowledged: list[str] = []
    for number in range(6):
        assert plant.propose(100.0 + number, key=f"k{number}").status == "accepted"
        acknowledged.append(f"k{number}")
        if number % 2:
            continue
        server("kill")
        lost = f"k{number}-lost"
        with pytest.raises(LedgerError, match=r"nothing was recorded\. See that the server runs"):
            plant.propose(500.0, key=lost)
        with pytest.raises(LedgerError, match=r"cannot be read .*see that the server runs"):
            recorded(plant.ledger)
        server("up")
        assert recorded(plant.ledger) == acknowledged
        assert plant.propose(100.0 + number, key=f"k{number}").duplicate
        assert plant.propose(500.0, key=lost).status == "accepted"
        acknowledged.append(lost)
    assert recorded(plant.ledger) == acknowledged
    assert plant.ledger.verify_audit().ok


def test_an_approval_is_used_once_whenever_the_server_is_killed(
    plant: Plant, server: PrivatePostgres
) -> None:
    def killed() -> None:
        server("kill")
        server("up")

    waiting = plant.propose(800.0, asset="peaker")
    killed()
    assert waiting.approval_id is not None
    assert plant.approvals.approve(waiting.approval_id, BEN, "ok").state == "APPROVED"
    killed()
    assert plant.propose(800.0, asset="peaker", key="k").status == "accepted"
    killed()
    assert plant.propose(800.0, asset="peaker", key="k").duplicate
    assert plant.propose(800.0, asset="peaker", key="other").status == "pending_approval"
    assert plant.ledger.verify_audit().ok


def test_a_server_killed_between_intent_and_receipt_leaves_an_intent_that_is_reconciled(
    plant: Plant, server: PrivatePostgres
) -> None:
    plant.propose(500.0, duration_s=3600.0)
    apply = plant.driver.apply

    def apply_and_kill(battery_kw: float, peaker_kw: float) -> None:
        apply(battery_kw, peaker_kw)
        server("kill")

    plant.driver.apply = apply_and_kill  # type: ignore[method-assign]
    with pytest.raises(LedgerError, match="cannot be written"):
        plant.executor.tick()
    plant.driver.apply = apply  # type: ignore[method-assign]
    server("up")
    assert not plant.run().changed
    with plant.ledger.reading() as connection:
        dispatch = receipts.standing(connection)
    assert dispatch is not None
    assert (dispatch.state, dispatch.setpoints.battery_kw) == ("RECONCILED", 500.0)
    assert plant.driver.calls == [(500.0, 0.0)] * 2
    assert plant.ledger.verify_audit().ok
