"""Metrics and probes of a running plant."""

import asyncio
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from grid.clock import SimulatedClock
from pipeline.engine import BatchReport
from smartgrid.embedded_plant import EmbeddedPlant
from smartgrid.observability import StreamMetrics, observability_routes
from smartgrid.settings import Settings

NOON = datetime(2026, 3, 1, 19, 0, tzinfo=UTC)


@pytest.fixture
def settings(trained: Path, tmp_path: Path) -> Settings:
    shutil.copytree(trained, tmp_path / "state" / "model")
    return Settings(state=tmp_path / "state")


def samples(text: str) -> dict[tuple[str, str], float]:
    """(name, label values) → value."""
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_metrics_account_for_every_record_and_show_ages(settings: Settings) -> None:
    async def main() -> None:
        async with EmbeddedPlant(settings, (), SimulatedClock(NOON)) as plant:
            client = TestClient(Starlette(routes=observability_routes(plant.workplace, plant.metrics)))
            before = samples(client.get("/metrics").text)
            for _ in range(3):
                await plant.step()
            after = samples(client.get("/metrics").text)
        accepted = ("smartgrid_stream_events_total", "accepted")
        assert after[accepted] - before[accepted] == 6
        assert after["smartgrid_stream_forecasts_total", ""] == after[accepted]
        assert after["smartgrid_stream_events_total", "dead_letters"] == 0
        assert after["smartgrid_telemetry_age_seconds", "area"] == 5.0
        assert after["smartgrid_forecast_age_seconds", "area-native"] == 5.0
        assert after["smartgrid_stream_batch_seconds_count", ""] == 4

    asyncio.run(main())


def test_ready_while_pulses_are_fresh_and_not_when_time_goes_on_without_them(settings: Settings) -> None:
    async def main() -> None:
        async with EmbeddedPlant(settings, (), SimulatedClock(NOON)) as plant:
            client = TestClient(Starlette(routes=observability_routes(plant.workplace, plant.metrics)))
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").json() == {"ready": True, "reasons": []}
            clock = plant.workplace.clock
            assert isinstance(clock, SimulatedClock)
            clock.advance_to(clock.now() + timedelta(minutes=5))
            answer = client.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["reasons"] == ["the newest pulse is 305 s old, allowed 60 s"]
            assert client.get("/healthz").status_code == 200

    asyncio.run(main())


def test_a_drain_that_found_nothing_is_not_counted() -> None:
    metrics = StreamMetrics()
    metrics.count(BatchReport(), 0.1)
    metrics.count(BatchReport(polled=3, accepted=1, forecasts=1, duplicates=1, dead_letters=1), 0.1)
    value = metrics.registry.get_sample_value
    assert value("smartgrid_stream_batch_seconds_count") == 1
    assert value("smartgrid_stream_events_total", {"outcome": "duplicates"}) == 1


def test_metrics_tell_how_good_the_forecasts_of_the_last_days_were(settings: Settings) -> None:
    async def main() -> None:
        async with EmbeddedPlant(settings, (), SimulatedClock(NOON)) as plant:
            client = TestClient(Starlette(routes=observability_routes(plant.workplace, plant.metrics)))
            found = samples(client.get("/metrics").text)
        assert 0.0 <= found["smartgrid_forecast_coverage", "area"] <= 1.0
        assert found["smartgrid_forecast_skill", "persistence,area"] <= 1.0
        assert found["smartgrid_forecast_band_factor", "area-native"] == 1.0
        assert found["smartgrid_forecast_degraded", "area-native"] == 0.0

    asyncio.run(main())
