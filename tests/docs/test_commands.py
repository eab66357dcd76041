"""What scripts rely on: exit codes, and JSON wherever a command answers."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from smartgrid.cli import app
from tests.dispatch.conftest import Plant
from tests.smartgrid.roles import environment, run

GO_ON = {"up", "serve", "supervise", "stream", "mcp", "plant", "openadr"}
"""Roles: they answer to clients, and run until they are told to stop."""


def leaves(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    inside = getattr(command, "commands", None)
    if inside is None:
        yield name, command
        return
    for word, below in inside.items():
        yield from leaves(below, f"{name} {word}".strip())


COMMANDS = dict(leaves(get_command(app)))
ANSWERING = sorted(set(COMMANDS) - GO_ON)


@pytest.mark.parametrize("name", ANSWERING)
def test_every_command_that_ends_by_itself_can_answer_in_json(name: str) -> None:
    assert "--json" in {option for parameter in COMMANDS[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_says_what_it_does_and_what_each_option_is(name: str) -> None:
    command = COMMANDS[name]
    first = (command.help or "").partition("\n")[0]
    assert 15 <= len(first) <= 120
    assert first.endswith((".", ";", ":"))
    context = typer.Context(command, info_name=name)
    for parameter in command.params:
        names, text = parameter.get_help_record(context)
        assert text, names


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--help"], 0, "Exit codes"),
        (["config", "show", "--json"], 0, "http_port"),
        (["doctor", "--limits", "none.yaml"], 1, "none.yaml"),
        (["audit", "verify"], 1, "start one: smartgrid up"),
        (["up", "--port", "99999"], 1, "http_port = 99999"),
        (["demmo"], 2, "Did you mean 'demo'?"),
        (["demo", "--sed", "1"], 2, "--seed"),
        (["halt"], 2, "--reason"),
    ],
)
def test_exit_codes_tell_done_from_mendable_from_not_understood(
    words: list[str], code: int, said: str, tmp_path: Path
) -> None:
    done = run(*words, env=environment(SMARTGRID_STATE=str(tmp_path)))
    assert done.returncode == code
    assert said in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_a_script_halts_resumes_makes_tokens_and_exports(tmp_path: Path) -> None:
    plant = Plant(tmp_path / "state")
    plant.wall_s = time.time()  # the commands read the plant's clock by the machine's
    plant.executor.tick()

    def ask(*words: str) -> Any:
        done = CliRunner().invoke(app, [*words, "--state", str(plant.state_dir), "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    halted = ask("halt", "--reason", "a drill")
    assert (halted["halted"], halted["reason"]) == (True, "a drill")
    assert ask("resume", "--reason", "over")["halted"] is False
    made = ask("token", "create", "--name", "ana", "--scope", "grid:read")
    assert made["subject"] == "local:ana"
    assert made["token"].startswith("sgt_")
    assert ask("token", "revoke", "ana") == [{"id": made["id"], "subject": "local:ana"}]
    exported = ask("audit", "export", "--out", str(tmp_path / "audit.jsonl"))
    assert exported["entries"] == exported["head"] > 0
    plant.ledger.close()
