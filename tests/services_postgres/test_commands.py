"""Commands on a ledger that only the settings name: nothing but the URL tells them where it is."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dispatch.flags import halt_of
from smartgrid.cli import app
from tests.dispatch.conftest import Plant

Run = Callable[..., Result]


@pytest.fixture
def plant(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """A plant that has run, with a request that waits."""
    monkeypatch.setenv("SMARTGRID_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("SMARTGRID_LEDGER_URL", url)
    made = Plant(tmp_path / "state", url=url)
    made.wall_s = time.time()  # commands go on from there
    made.run()
    made.propose(800.0, asset="peaker")
    made.ledger.close()
    return made


@pytest.fixture
def run(plant: Plant) -> Run:
    return lambda *words: CliRunner().invoke(app, list(words))


def test_requests_are_listed_and_the_autonomy_is_halted_and_resumed(run: Run, plant: Plant) -> None:
    listed = run("approvals", "list", "--json")
    assert [asked["approval_id"] for asked in json.loads(listed.stdout)] == ["1"]
    assert run("halt", "--reason", "smoke").exit_code == 0
    with plant.ledger.reading() as connection:
        assert halt_of(connection) is not None
    assert run("resume", "--reason", "all clear").exit_code == 0
    verified = json.loads(run("audit", "verify", "--json").stdout)
    assert (verified["ok"], verified["note"]) == (True, "")
    plant.ledger.close()


def test_a_database_where_no_plant_has_run_is_left_empty(
    run: Run, new_schema: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTGRID_LEDGER_URL", new_schema())
    for _ in range(2):
        assert "no plant has run here yet" in str(run("approvals", "list").exception)
