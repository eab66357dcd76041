"""The Inspector; named by ``make conformance``, not found by a plain pytest run."""

import json
import sys
from typing import Any

import pytest

from tests.conformance.conftest import SERVER, Run, Served
from tests.mcp_server.calling import TOOLS

ERAS = ("modern", "legacy")
OPTIONS = ("--quiet", "--connect-timeout", "60000")  # ms: a server on stdio has all to import first
TOOL_ERROR = 5
"""The Inspector's exit code for a tool that answers with an error."""

pytestmark = [
    pytest.mark.parametrize("era", ERAS),
    pytest.mark.parametrize("transport", ["http", "stdio"]),
]


def inspect(run: Run, served: Served, transport: str, era: str, *asked: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    target = [served.url] if transport == "http" else [sys.executable, SERVER, "stdio", served.state]
    done = run("inspector", "--cli", *target, *OPTIONS, "--protocol-era", era, "--method", *asked)
    return done.returncode, done.stdout, done.stderr


def answer(run: Run, served: Served, transport: str, era: str, *asked: str) -> Any:
    code, output, complaints = inspect(run, served, transport, era, *asked)
    assert (code, complaints) == (0, "")
    return json.loads(output)


def test_in_strict_mode_it_reports_nothing(run: Run, over_http: Served, transport: str, era: str) -> None:
    listed = answer(run, over_http, transport, era, "tools/list", "--strict")
    assert {tool["name"] for tool in listed["tools"]} >= set(TOOLS)


def test_it_reads_the_status(run: Run, over_http: Served, transport: str, era: str) -> None:
    said = answer(run, over_http, transport, era, "tools/call", "--tool-name", "get_grid_status")
    assert said["structuredContent"]["battery"]["energy_kwh"] > 0


def test_a_refusal_is_an_error_in_words(run: Run, over_http: Served, transport: str, era: str) -> None:
    asked = ("tools/call", "--tool-name", "check_telemetry", "--tool-arg", "site=nowhere")
    code, output, _ = inspect(run, over_http, transport, era, *asked)
    assert code == TOOL_ERROR
    assert "is not known" in output
