"""The console over a real store and a real ledger, in simulated time."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from operator_console.snapshot import Snapshot, snapshot
from operator_console.source import ConsoleSource
from pipeline.forecast import Forecast
from pipeline.sqlite_store import SqliteStore
from tests.dispatch.conftest import Plant

MAX_AGE_S = 60.0
BATTERY_KWH = 10_000.0


@dataclass
class Console:
    """A plant, its series store, and what the console reads of both."""

    plant: Plant
    store: SqliteStore
    source: ConsoleSource

    def now(self) -> datetime:
        return self.plant.clock.now()

    def look(self, before: Snapshot | None = None) -> Snapshot:
        return snapshot(self.source, before)

    def pulse(self, age_s: float = 0.0, net_load_kw: float | None = 5_000.0, site: str = AREA_SITE) -> None:
        at = self.now() - timedelta(seconds=age_s)
        self.store.write([Telemetry(site, at, net_load_kw=net_load_kw)])

    def forecast(self, age_s: float = 0.0, site: str = NATIVE_SITE, net_load_kw: float = 5_000.0) -> None:
        issued = self.now() - timedelta(seconds=age_s)
        target = issued + timedelta(minutes=30)
        band = Forecast(site, issued, target, net_load_kw, -100.0, 50.0, 300.0, "model")
        self.store.write([], [band])


def source_of(plant: Plant, store: SqliteStore) -> ConsoleSource:
    """What the console reads of a plant."""
    return ConsoleSource(
        reader=store,
        ledger=plant.ledger,
        clock=plant.clock,
        wall_s=lambda: plant.wall_s,
        max_age_s=MAX_AGE_S,
        currency="USD",
        tz="Europe/Luxembourg",
        battery_energy_kwh=BATTERY_KWH,
        battery_wear_per_mwh=10.0,
        peaker_running_per_mwh=90.0,
    )


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    plant = Plant(tmp_path / "state")
    store = SqliteStore(tmp_path / "telemetry.db")
    yield Console(plant, store, source_of(plant, store))
    store.close()
    plant.ledger.close()
