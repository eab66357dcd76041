"""The console over a real store and a real ledger, in simulated time."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from operator_console.snapshot import ConsoleSource
from operator_console.status_page import console_routes
from pipeline.forecast import Forecast
from pipeline.sqlite_store import SqliteStore
from tests.dispatch.conftest import Plant

MAX_AGE_S = 60.0
BATTERY_KWH = 10_000.0


@dataclass
class Console:
    """A plant, its series store, and a browser's view of both."""

    plant: Plant
    store: SqliteStore
    source: ConsoleSource
    client: TestClient

    def now(self) -> datetime:
        return self.plant.clock.now()

    def get(self, path: str = "/console/status.json") -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pulse(self, age_s: float = 0.0, net_load_kw: float | None = 5_000.0, site: str = AREA_SITE) -> None:
        at = self.now() - timedelta(seconds=age_s)
        self.store.write([Telemetry(site, at, net_load_kw=net_load_kw)])

    def forecast(self, age_s: float = 0.0, site: str = NATIVE_SITE, net_load_kw: float = 5_000.0) -> None:
        issued = self.now() - timedelta(seconds=age_s)
        target = issued + timedelta(minutes=30)
        band = Forecast(site, issued, target, net_load_kw, -100.0, 50.0, 300.0, "model")
        self.store.write([], [band])

    def reads(self, **changed: Any) -> None:
        """Serve another source from now on."""
        self.source = replace(self.source, **changed)
        self.client = client_of(self.source)


def client_of(source: ConsoleSource) -> TestClient:
    app = Starlette(routes=console_routes(source))
    return TestClient(app, base_url="http://127.0.0.1:8765", raise_server_exceptions=False)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    plant = Plant(tmp_path / "state")
    store = SqliteStore(tmp_path / "telemetry.db")
    source = ConsoleSource(
        reader=store,
        ledger=plant.ledger,
        clock=plant.clock,
        max_age_s=MAX_AGE_S,
        currency="USD",
        battery_energy_kwh=BATTERY_KWH,
        tz="Europe/Luxembourg",
    )
    yield Console(plant, store, source, client_of(source))
    store.close()
    plant.ledger.close()
