from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from grid.telemetry import AREA_SITE
from knowledge.digest.build import read_sources
from knowledge.errors import KnowledgeError
from knowledge.index import Passage
from knowledge.standards import status_of
from pipeline.instability import InstabilityEvent
from policies.provisions import PROVISIONS
from tests.tools.small_grid import SmallGrid
from tools.errors import ToolInputError


class Library:
    """Holds BAL-003-2 alone, and answers everything with it."""

    def search(self, *_: object, **__: object) -> list[Passage]:
        return [Passage("NERC_bal-003-2.pdf", (3,), "BAL-003-2 R1, p. 3", 0.9, "text")]


def test_a_dispatch_is_told_which_provisions_bear_on_it_and_why(grid: SmallGrid) -> None:
    answer = grid.ask("check_compliance", action={"asset": "battery", "power_kw": 150.0, "duration_min": 60})
    found = {provision.citation: provision for provision in answer.provisions}
    assert {"TOP-001-6 R3", "BAL-002-3 R2", "BAL-003-2 R1", "FERC Order No. 841"} <= found.keys()
    assert found["BAL-002-3 R2"].why.startswith("Energy that is promised as Contingency Reserve")
    assert found["BAL-003-2 R1"].status == "BAL-003-2: in force since 2020-12-01"
    assert found["BAL-003-2 R1"].official_address.startswith("https://www.nerc.com/")
    assert found["BAL-003-2 R1"].found_in is None  # nothing is indexed here
    assert "Operating Instruction outranks" in answer.note


def test_without_an_emergency_given_the_open_events_tell(grid: SmallGrid) -> None:
    action = {"asset": "battery", "power_kw": -150.0}
    calm = grid.ask("check_compliance", action=action)
    began = grid.clock.now() - timedelta(minutes=5)
    grid.store.write(
        [], events=[InstabilityEvent("e1", AREA_SITE, "measured_ramp", began, None, "critical", 9000.0)]
    )
    critical = grid.ask("check_compliance", action=action)
    given = grid.ask("check_compliance", action=action | {"emergency": "none"})
    assert [one.emergency for one in (calm, critical, given)] == ["none", "operating", "none"]
    assert critical.provisions[0].citation == "EOP-011-4 R2"
    assert "EOP-011-4 R2" not in {provision.citation for provision in calm.provisions}


@pytest.mark.parametrize("minutes_ago", [0, 20])
def test_an_event_that_is_over_is_no_emergency(grid: SmallGrid, minutes_ago: int) -> None:
    began, ended = (grid.clock.now() - timedelta(minutes=ago) for ago in (50, minutes_ago))
    grid.store.write(
        [], events=[InstabilityEvent("e1", AREA_SITE, "measured_ramp", began, ended, "critical", 9000.0)]
    )
    answer = grid.ask("check_compliance", action={"asset": "battery", "power_kw": 10.0})
    assert answer.emergency == "none"


def test_a_provision_names_where_it_stands_if_its_own_document_is_indexed(tmp_path: Path) -> None:
    grid = SmallGrid(tmp_path, knowledge=Library())
    answer = grid.ask("check_compliance", action={"asset": "battery", "power_kw": 150.0})
    grid.close()
    places = {provision.citation: provision.found_in for provision in answer.provisions}
    assert places["BAL-003-2 R1"] == "NERC_bal-003-2.pdf: BAL-003-2 R1, p. 3"
    assert places["TOP-001-6 R3"] is None


def test_the_provisions_are_told_also_while_the_index_cannot_answer(tmp_path: Path) -> None:
    asked: list[object] = []

    class Building:
        def search(self, question: str, *_: object, **__: object) -> list[Passage]:
            asked.append(question)
            raise KnowledgeError("the shipped digest is being indexed; ask again")

    grid = SmallGrid(tmp_path, knowledge=Building())
    answer = grid.ask("check_compliance", action={"asset": "battery", "power_kw": 150.0})
    grid.close()
    assert answer.provisions
    assert all(provision.found_in is None for provision in answer.provisions)
    assert len(asked) == 1  # no waiting for each of them


def test_asking_proposes_nothing(grid: SmallGrid) -> None:
    before = grid.written()
    grid.ask("check_compliance", action={"asset": "peaker", "power_kw": 5000.0, "emergency": "energy"})
    assert grid.written() == before


def test_a_peaker_that_absorbs_is_refused(grid: SmallGrid) -> None:
    with pytest.raises(ToolInputError, match=r"action.power_kw=-1.0: a peaker never absorbs; give 0 or more"):
        grid.ask("check_compliance", action={"asset": "peaker", "power_kw": -1.0})


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"asset": "wind", "power_kw": 1.0},
        {"asset": "battery"},
        {"asset": "battery", "power_kw": float("nan")},
        {"asset": "battery", "power_kw": True},
        {"asset": "battery", "power_kw": 1.0, "duration_min": 0},
        {"asset": "battery", "power_kw": 1.0, "emergency": "yes"},
        {"asset": "battery", "power_kw": 1.0, "approve": True},
        "discharge",
    ],
)
def test_an_action_that_cannot_be_meant_is_refused(grid: SmallGrid, action: object) -> None:
    with pytest.raises(ValidationError):
        grid.ask("check_compliance", action=action)


def test_every_provision_of_the_table_is_in_force_and_in_the_digest() -> None:
    digests = {source.name.replace("FERC-Order-", "FERC Order No. "): source for source in read_sources()}
    for provision in PROVISIONS:
        status = status_of(provision.standard)
        assert status is not None
        assert (status.standard, status.status) == (provision.standard, "in force")
        lines = "\n".join(digests[provision.standard].lines)
        assert provision.place in lines
