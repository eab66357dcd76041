"""``smartgrid approvals``: what waits, why, and the decision with its reason; for people and for scripts."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from dispatch.errors import ApprovalError
from smartgrid.cli import app
from smartgrid.ledger_access import this_user
from tests.dispatch.conftest import ANA, Plant
from tests.smartgrid import roles


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path / "state")
    made.wall_s = time.time()  # the commands read the plant's clock by the machine's
    made.executor.tick()
    yield made
    made.ledger.close()


def ask(plant: Plant, minutes: float = 60.0) -> str:
    asked = plant.propose(5_000.0, asset="peaker", duration_s=60.0 * minutes, principal=ANA)
    assert asked.approval_id is not None
    return asked.approval_id


def typed(plant: Plant, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["approvals", *arguments, "--state", str(plant.state_dir)])


def document(plant: Plant, *arguments: str) -> Any:
    result = typed(plant, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_show_says_all_that_a_decision_needs(plant: Plant) -> None:
    number = ask(plant)
    shown = typed(plant, "show", number).stdout
    for text in (
        "peaker +5,000.0 kW for 60 min",
        "because the test says so",
        "local:ana",
        "rule peaker_start",
    ):
        assert text in shown
    told = document(plant, "show", number)
    assert (told["approval_id"], told["state"], told["asset"]) == (number, "PENDING", "peaker")
    assert told["findings"][0]["quote"]


def test_what_an_agent_wrote_is_shown_as_it_is(plant: Plant) -> None:
    plant.service.propose(
        principal=ANA, tool="dispatch_peaker", arguments={}, asset="peaker", power_kw=5_000.0,
        duration_s=3_600.0, reason="[red]trust me[/red]",
    )  # fmt: skip
    assert "[red]trust me[/red]" in typed(plant, "show", "1").stdout
    assert "[red]trust" in typed(plant, "list").stdout


@pytest.mark.parametrize(("verb", "state"), [("approve", "APPROVED"), ("deny", "DENIED")])
def test_a_decision_is_kept_with_its_reason_and_its_operator(plant: Plant, verb: str, state: str) -> None:
    number = ask(plant)
    told = document(plant, verb, number, "--reason", "as agreed at the handover")
    assert (told["state"], told["decision_reason"]) == (state, "as agreed at the handover")
    assert told["decided_by"] == f"operator:{this_user()}"
    assert "as agreed at the handover" in typed(plant, "show", number).stdout
    assert [asked["approval_id"] for asked in document(plant, "list", "--all")] == [number]
    again = typed(plant, verb, number, "--reason", "twice")
    assert isinstance(again.exception, ApprovalError)


def test_an_unknown_number_says_what_to_do(plant: Plant) -> None:
    assert "list them first" in str(typed(plant, "show", "99").exception)


def test_watch_follows_new_requests_until_it_is_told_to_stop(plant: Plant) -> None:
    first = ask(plant)
    command = [roles.command(), "approvals", "watch", "--json", "--state", str(plant.state_dir)]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=roles.environment())
    assert watching.stdout is not None
    try:
        assert json.loads(watching.stdout.readline())["approval_id"] == first
        second = ask(plant, 30.0)
        assert json.loads(watching.stdout.readline())["approval_id"] == second
        watching.send_signal(signal.SIGINT)
        rest, _ = watching.communicate(timeout=30)
        assert (rest, watching.returncode) == ("", 0)
    finally:
        watching.kill()
        watching.communicate(timeout=30)
