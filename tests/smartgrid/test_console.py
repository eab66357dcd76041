"""What an operator may do in the console, and where agents are told of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dispatch.flags import halt_of
from operator_console.errors import DeskError
from smartgrid.console import LedgerOperatorDesk
from smartgrid.console_link import address_file, console_address, naming_the_console
from smartgrid.settings import load_settings
from tests.dispatch.conftest import ANA, Plant

BEN = "operator:ben"


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    made = Plant(tmp_path / "state")
    yield made
    made.ledger.close()


def desk_of(plant: Plant, *, two: bool = False) -> LedgerOperatorDesk:
    return LedgerOperatorDesk(plant.ledger, plant.clock, require_two_people=two)


def ask(plant: Plant) -> str:
    asked = plant.propose(5_000.0, asset="peaker", duration_s=3_600.0, principal=ANA)
    assert asked.approval_id is not None
    return asked.approval_id


def test_a_decision_in_the_console_is_the_operators_and_lets_the_call_act_once(plant: Plant) -> None:
    number = ask(plant)
    asked = desk_of(plant).approve(BEN, number, "the ramp is real")
    assert (asked.state, asked.decided_by, asked.decision_reason) == ("APPROVED", BEN, "the ramp is real")
    done = plant.propose(5_000.0, asset="peaker", duration_s=3_600.0, principal=ANA)
    assert done.status == "accepted"
    with pytest.raises(DeskError, match="no longer pending"):
        desk_of(plant).deny(BEN, number, "too late")


def test_no_decision_and_no_halt_is_without_a_reason(plant: Plant) -> None:
    desk, number = desk_of(plant), ask(plant)
    for wish in (
        lambda: desk.approve(BEN, number, " "),
        lambda: desk.deny(BEN, number, ""),
        lambda: desk.halt(BEN, " "),
        lambda: desk.resume(BEN, ""),
    ):
        with pytest.raises(DeskError, match="say why"):
            wish()
    with plant.ledger.reading() as connection:
        assert halt_of(connection) is None


def test_where_two_people_are_required_one_does_not_decide_their_own_wish(plant: Plant) -> None:
    number = ask(plant)
    with pytest.raises(DeskError, match="one person"):
        desk_of(plant, two=True).approve("operator:ana", number, "mine")
    assert desk_of(plant).approve("operator:ana", number, "mine").same_person


def test_halt_and_resume_carry_the_operators_name(plant: Plant) -> None:
    desk = desk_of(plant)
    desk.halt(BEN, "smoke")
    with plant.ledger.reading() as connection:
        halt = halt_of(connection)
    assert halt is not None
    assert (halt.by, halt.reason) == (BEN, "smoke")
    desk.resume(BEN, "it was steam")
    with plant.ledger.reading() as connection:
        assert halt_of(connection) is None


def test_the_export_holds_every_entry_and_verifies(plant: Plant) -> None:
    desk = desk_of(plant)
    desk.halt(BEN, "smoke")
    lines = desk.export_audit().splitlines()
    report = desk.verify_audit()
    assert report.ok
    assert len(lines) == report.count + 2, "a line that names the format, and the head"
    assert "smoke" in lines[-2]


def test_an_answer_that_waits_names_the_page_that_decides_it_while_one_is_served(plant: Plant) -> None:
    wait = {"asset": "peaker", "power_kw": 5_000.0, "duration_s": 3_600.0, "reason": "peak"}

    def answer(address: str | None) -> str:
        propose = naming_the_console(plant.service.propose, lambda: address)
        return propose(principal=ANA, tool="dispatch_peaker", arguments={}, **wait).message  # type: ignore[arg-type]

    served = answer("http://127.0.0.1:8765")
    assert served.endswith("an operator decides at http://127.0.0.1:8765/console/approvals/1")
    assert "http" not in answer(None)


def test_an_accepted_answer_names_no_page(plant: Plant) -> None:
    propose = naming_the_console(plant.service.propose, lambda: "http://127.0.0.1:8765")
    done = propose(
        principal=ANA, tool="discharge_battery", arguments={}, asset="battery", power_kw=100.0,
        duration_s=300.0, reason="peak",
    )  # fmt: skip
    assert done.status == "accepted"
    assert "http" not in done.message


def test_the_consoles_address_is_known_while_it_is_kept(tmp_path: Path) -> None:
    settings = load_settings(state=tmp_path)
    assert console_address(settings) is None
    address_file(settings).write_text("https://grid.example\n")
    assert console_address(settings) == "https://grid.example"
