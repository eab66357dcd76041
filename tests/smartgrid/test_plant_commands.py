"""The three commands of docs/modbus.md, typed as they stand there, each a process of its own."""

import asyncio
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from mcp import Client

from tests.smartgrid import roles
from tests.smartgrid.test_roles import call, site, status_when

POWER_KW = 1200.0
PORT_OF_GUIDE = "5020"
READY = ("stop with", "stop with", "supervises")


@contextmanager
def typed(words: list[str], state: Path, ready: str) -> Iterator[subprocess.Popen[str]]:
    """A command until it says that it works."""
    process = subprocess.Popen(
        [roles.command(), *words],
        stdout=subprocess.PIPE,
        text=True,
        env=roles.environment(SMARTGRID_STATE=str(state), SMARTGRID_MODBUS__LONGEST_RETRY_S="0.5"),
    )
    try:
        roles.Speaking(process).say(ready)
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


@pytest.fixture
def commands(repository: Path) -> list[list[str]]:
    """The guide's first block, on ports that are free."""
    guide = (repository / "docs" / "modbus.md").read_text("utf-8")
    found = re.search(r"```\n(.*?)```", guide, re.DOTALL)
    assert found is not None
    port, http_port = str(roles.free_port()), str(roles.free_port())
    words = [shlex.split(line.replace(PORT_OF_GUIDE, port)) for line in found[1].splitlines()]
    assert [line[:2] for line in words] == [["smartgrid", name] for name in ("plant", "serve", "supervise")]
    more: list[list[str]] = [["--port", port], ["--port", http_port], []]
    return [[*line[1:], *added] for line, added in zip(words, more, strict=True)]


@pytest.fixture
def state(trained: Path, tmp_path: Path) -> Path:
    """A state directory that holds a model already."""
    shutil.copytree(trained, tmp_path / "state" / "model")
    return tmp_path / "state"


def test_the_guides_three_commands_dispatch_a_device_that_may_die_and_come_back(
    commands: list[list[str]], state: Path
) -> None:
    plant, serve, _ = commands
    url = f"http://127.0.0.1:{serve[-1]}/mcp"

    async def dispatched() -> None:
        async with Client(url) as client:
            asked = {"power_kw": POWER_KW, "duration_min": 240, "reason": "a tour of the device"}
            assert (await call(client, "discharge_battery", **asked))["status"] == "accepted"
            status = await status_when(client, lambda now: now["battery"]["power_kw"] == POWER_KW)
            metered, native = site(status, "area"), site(status, "area-native")
            assert native["Net_Load_kW"] - metered["Net_Load_kW"] == pytest.approx(POWER_KW)

    async def until(stale: bool, power_kw: float | None) -> None:
        async with Client(url) as client:
            await status_when(
                client,
                lambda now: (
                    site(now, "area")["stale"] == stale and power_kw in (None, now["battery"]["power_kw"])
                ),
            )

    with ExitStack() as stack:
        device, server, supervisor = (
            stack.enter_context(typed(words, state, ready))
            for words, ready in zip(commands, READY, strict=True)
        )
        asyncio.run(dispatched())
        device.kill()
        asyncio.run(until(stale=True, power_kw=None))
        with typed(plant, state, READY[0]):
            asyncio.run(until(stale=False, power_kw=POWER_KW))
        assert (server.poll(), supervisor.poll()) == (None, None)
    for kind in ("device_lost", "device_back"):
        shown = roles.run("audit", "show", "--state", str(state), "--kind", kind, "--json")
        assert len(json.loads(shown.stdout)) >= 1, shown.stdout
