"""Serves the console in a process of its own, in lockstep with a simulated plant, and counts what it costs.

Every second of the plant's time is one look for all pages, as in life, and every fifth a pulse; the next
second begins once all pages were sent what they have to show. So the work of a simulated minute is that
of a real one, however fast it runs.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import uvicorn
from nicegui import Client
from starlette.applications import Starlette
from starlette.routing import Mount

from dispatch.approvals import Approval
from dispatch.audit import AuditReport
from operator_console.console import PATH, Console
from operator_console.requests import Reach
from operator_console.sessions import Operator
from operator_console.source import ConsoleSource
from smartgrid.bench.console_plant import BenchPlant
from smartgrid.collector import look_for_cycles_rarely

STATM = Path("/proc/self/statm")
ONE_SECOND = 1.0
PULSE_SECONDS = 5


class _Open:
    """A door that the bench's own secret opens."""

    operator = Operator("operator:bench", "bench", float("inf"))

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def enter(self, secret: str) -> Operator | None:
        return self.operator if secret == self._secret else None

    def known(self, token_id: str) -> Operator | None:
        return self.operator if token_id == self.operator.token_id else None


class _Idle:
    """Nobody decides anything here but whether the audit holds."""

    def __init__(self, plant: BenchPlant) -> None:
        self._plant = plant

    def approve(self, subject: str, approval_id: str, reason: str) -> Approval:
        raise NotImplementedError

    def deny(self, subject: str, approval_id: str, reason: str) -> Approval:
        raise NotImplementedError

    def halt(self, subject: str, reason: str) -> None:
        raise NotImplementedError

    def resume(self, subject: str, reason: str) -> None:
        raise NotImplementedError

    def verify_audit(self) -> AuditReport:
        return self._plant.ledger.verify_audit()

    def export_audit(self) -> str:
        raise NotImplementedError


def _console(plant: BenchPlant, secret: str) -> Console:
    limits = plant.limits
    source = ConsoleSource(
        reader=plant.store,
        ledger=plant.ledger,
        clock=plant.clock,
        wall_s=time.time,
        max_age_s=60.0,
        currency="USD",
        tz="Europe/Luxembourg",
        battery_energy_kwh=limits.battery.energy_kwh,
        battery_wear_per_mwh=limits.battery.wear_usd_per_mwh,
        peaker_running_per_mwh=limits.peaker.running_usd_per_mwh,
    )
    # The watch does not look by itself: the bench lets it, once a simulated second.
    return Console(source, _Idle(plant), _Open(secret), Reach(), idle_s=1e9, look_s=1e6)


async def _served(console: Console, plant: BenchPlant, minutes: int, pages: int) -> None:
    app = Starlette(routes=[Mount(PATH, console.app)])
    async with console.running():
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", log_config=None))
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        _say({"port": server.servers[0].sockets[0].getsockname()[1]})
        while sum(client.has_socket_connection for client in Client.instances.values()) < pages:
            await asyncio.sleep(0.05)
        for minute in range(1, minutes + 1):
            before_s = time.process_time()
            for second in range(60):
                await _second(console, plant, pulse=second % PULSE_SECONDS == 0)
            _say({"minute": minute, "cpu_s": time.process_time() - before_s, "rss_mb": _rss_mb()})
        server.should_exit = True
        await serving


async def _second(console: Console, plant: BenchPlant, *, pulse: bool) -> None:
    if pulse:
        plant.pulse()
    plant.clock.advance(ONE_SECOND)
    await console.watch.tell_now()
    await asyncio.sleep(0)
    while any(_unsent(client) for client in Client.instances.values()):
        await asyncio.sleep(0.001)


def _unsent(client: Client) -> bool:
    outbox = client.outbox
    return client.has_socket_connection and bool(outbox.updates or outbox.messages)


def _rss_mb() -> float:
    return int(STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _say(document: dict[str, float]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run as ``python -m smartgrid.bench.console_worker STATE SITES PAGES MINUTES``; the secret on stdin."""
    state, sites, pages, minutes = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    secret = sys.stdin.readline().strip()
    look_for_cycles_rarely()
    plant = BenchPlant(state, sites)
    try:
        asyncio.run(_served(_console(plant, secret), plant, minutes, pages))
    finally:
        plant.close()


if __name__ == "__main__":
    main()
