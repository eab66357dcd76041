import multiprocessing
import threading
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dispatch.errors import ApprovalError, ForbiddenError
from dispatch.ledger import Ledger
from dispatch.service import DispatchService, Observation
from grid.clock import SimulatedClock
from policies.limits import Limits, PlantLimits
from policies.principal import (
    RESPONSE,
    SCOPE_APPROVE,
    SCOPE_DISPATCH,
    Principal,
    local_principal,
    operator_principal,
)
from tests.services_postgres.server import NewUrl

if TYPE_CHECKING:
    from tests.dispatch.conftest import Plant

ANA, ANA_THE_OPERATOR, BEN = local_principal("ana"), operator_principal("ana"), operator_principal("ben")
PARALLEL = 50


def test_a_decision_needs_the_approve_scope(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    for principal in (RESPONSE, ANA):
        with pytest.raises(ForbiddenError, match="grid:approve"):
            plant.approvals.approve("1", principal, "please")
    assert plant.approvals.get("1").state == "PENDING"


def test_a_decision_needs_a_reason_and_keeps_it(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker", principal=ANA)
    with pytest.raises(ApprovalError, match="reason is empty"):
        plant.approvals.approve("1", BEN, "  ")
    decided = plant.approvals.approve("1", BEN, "evening ramp")
    assert (decided.state, decided.decided_by, decided.decision_reason) == (
        "APPROVED",
        "operator:ben",
        "evening ramp",
    )
    assert not decided.same_person


def test_nobody_approves_what_they_asked_themselves(plant: "Plant") -> None:
    both = Principal("token:x", frozenset({SCOPE_DISPATCH, SCOPE_APPROVE}), 30)
    plant.propose(800.0, asset="peaker", principal=both)
    with pytest.raises(ForbiddenError, match="somebody else"):
        plant.approvals.approve("1", both, "ok")


def test_on_one_machine_the_operator_may_approve_the_local_users_request_and_it_is_marked(
    plant: "Plant",
) -> None:
    plant.propose(800.0, asset="peaker", principal=ANA)
    assert plant.approvals.approve("1", ANA_THE_OPERATOR, "ok").same_person


def test_where_two_people_are_required_it_may_not(tmp_path: Path, plant: "Plant", new_url: NewUrl) -> None:
    limits = Limits.model_validate({"approval": {"require_two_people": True}})
    strict = type(plant)(tmp_path / "strict", limits, new_url())
    strict.propose(800.0, asset="peaker", principal=ANA)
    with pytest.raises(ForbiddenError, match="require_two_people"):
        strict.approvals.approve("1", ANA_THE_OPERATOR, "ok")
    assert strict.approvals.approve("1", BEN, "ok").state == "APPROVED"
    strict.ledger.close()


def test_a_request_is_decided_once_and_only_in_time(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    plant.approvals.deny("1", BEN, "no")
    with pytest.raises(ApprovalError, match="is denied"):
        plant.approvals.approve("1", BEN, "yes")
    plant.propose(700.0, asset="peaker")
    plant.clock.advance(plant.limits.approval_expires_s)
    with pytest.raises(ApprovalError, match="is expired"):
        plant.approvals.approve("2", BEN, "late")


@pytest.mark.parametrize("number", ["7", "x", "-1", "", "9" * 30])
def test_an_unknown_request_is_named(plant: "Plant", number: str) -> None:
    with pytest.raises(ApprovalError, match="does not exist"):
        plant.approvals.get(number)


def test_requests_are_listed_by_state_with_what_asked_for_them(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    plant.propose(700.0, asset="peaker")
    plant.approvals.approve("2", BEN, "ok")
    (pending,) = plant.approvals.list("PENDING")
    assert (pending.approval_id, pending.power_kw) == ("1", 800.0)
    assert [finding.rule for finding in pending.findings] == ["peaker_start"]
    assert [approval.approval_id for approval in plant.approvals.list()] == ["1", "2"]


def test_fifty_parallel_threads_get_one_effect_out_of_one_approval(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    plant.approvals.approve("1", BEN, "ok")
    statuses: list[str] = []
    barrier = threading.Barrier(PARALLEL)

    def consume(number: int) -> None:
        barrier.wait()
        statuses.append(plant.propose(800.0, asset="peaker", key=f"k{number}").status)

    threads = [threading.Thread(target=consume, args=(number,)) for number in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["accepted"] + ["pending_approval"] * (PARALLEL - 1)
    assert plant.ledger.verify_audit().ok


def _consume(
    state_dir: Path, url: str | None, limits: PlantLimits, clock: SimulatedClock, number: int
) -> str:
    ledger = Ledger(state_dir, url)
    service = DispatchService(ledger, limits, clock, lambda: Observation(0.0, 1.0), UTC)
    outcome = service.propose(
        principal=RESPONSE,
        tool="dispatch_peaker",
        arguments={"power_kw": 800.0, "duration_s": 300.0, "idempotency_key": None},
        asset="peaker",
        power_kw=800.0,
        duration_s=300.0,
        reason="test",
        idempotency_key=f"process-{number}",
    )
    ledger.close()
    return outcome.status


def test_fifty_calls_from_several_processes_get_one_effect_out_of_one_approval(plant: "Plant") -> None:
    plant.propose(800.0, asset="peaker")
    plant.approvals.approve("1", BEN, "ok")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        given = (plant.state_dir, plant.url, plant.limits, plant.clock)
        calls = [(*given, number) for number in range(PARALLEL)]
        statuses = pool.starmap(_consume, calls, chunksize=1)
        pool.close()
        pool.join()
    assert sorted(statuses) == ["accepted"] + ["pending_approval"] * (PARALLEL - 1)
    assert plant.ledger.verify_audit().ok
