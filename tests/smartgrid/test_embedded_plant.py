"""The embedded plant, pulse by pulse, in one process and simulated wall time."""

import asyncio
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp import Client
from sqlalchemy import select

from dispatch.readings import latest_report
from dispatch.schema import proposals
from grid.clock import SimulatedClock
from grid.synthetic import training_series
from grid.synthetic_prices import PriceModel
from grid.telemetry import AREA_SITE
from pipeline.errors import ModelError
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.training import train
from policies.principal import local_principal
from smartgrid.embedded_plant import EmbeddedPlant
from smartgrid.errors import RoleError
from smartgrid.settings import Settings
from smartgrid.simulated_area import TZ, SimulatedArea, midnight
from tools.intervals import interval_start

BEFORE_MIDNIGHT = datetime(2026, 3, 1, 6, 59, tzinfo=UTC)
"""A minute before the area's midnight."""


@pytest.fixture
def settings(trained: Path, tmp_path: Path) -> Settings:
    shutil.copytree(trained, tmp_path / "state" / "model")
    return Settings(state=tmp_path / "state", kafka=None, influx_url=None)


def open_plant(settings: Settings, *loops: str, at: datetime = BEFORE_MIDNIGHT) -> EmbeddedPlant:
    return EmbeddedPlant(settings, loops, SimulatedClock(at))


async def discharge(plant: EmbeddedPlant, power_kw: float) -> dict[str, Any]:
    async with Client(plant.workplace.server_for(local_principal("ana"))) as client:
        arguments = {"power_kw": power_kw, "duration_min": 60, "reason": "a test"}
        answer = (await client.call_tool("discharge_battery", arguments)).structured_content
    assert isinstance(answer, dict)
    return answer


def test_windows_are_full_and_prices_known_when_the_plant_opens(settings: Settings) -> None:
    async def main() -> None:
        async with open_plant(settings) as plant:
            reader, now = plant.workplace.reader, plant.workplace.clock.now()
            pulses = reader.telemetry(AREA_SITE, now - timedelta(hours=2), now)
            assert len(pulses) == 2 * 720
            assert reader.latest_forecast(AREA_SITE) is not None
            start = interval_start(now, 300.0)
            (quote,) = reader.quotes(AREA_SITE, start, start + timedelta(seconds=300))
            assert quote.price_usd_per_mwh is not None
            ahead = reader.quotes(AREA_SITE, start + timedelta(minutes=5), start + timedelta(hours=20))
            assert {entry.price_usd_per_mwh for entry in ahead} == {None}
            assert all(entry.da_price_usd_per_mwh is not None for entry in ahead)

    asyncio.run(main())


def test_time_passes_midnight_without_a_gap_or_a_step(settings: Settings) -> None:
    async def main() -> None:
        async with open_plant(settings) as plant:
            for _ in range(24):
                await plant.step()
            now = plant.workplace.clock.now()
            assert now == BEFORE_MIDNIGHT + timedelta(minutes=2)
            pulses = plant.workplace.reader.telemetry(AREA_SITE, now - timedelta(minutes=2), now)
            assert len(pulses) == 24
            levels = np.array([pulse.net_load_kw for pulse in pulses], dtype=np.float64)
            assert np.abs(np.diff(levels)).max() < 0.02 * levels.mean()
            assert all(pulse.price_usd_per_mwh is not None for pulse in pulses)

    asyncio.run(main())


def test_loops_propose_once_an_interval(settings: Settings) -> None:
    async def main() -> None:
        async with open_plant(settings, "response", "trading") as plant:
            for _ in range(62):
                await plant.step()
            made = accepted(plant)
        assert {requester for requester, _ in made} <= {"supervisor:response", "supervisor:trading"}
        assert len(made) == len(set(made))
        assert len({start for _, start in made}) == 2

    asyncio.run(main())


def accepted(plant: EmbeddedPlant) -> list[tuple[str, datetime]]:
    with plant.workplace.ledger.reading() as connection:
        rows = connection.execute(select(proposals.c.requester, proposals.c.starts_at))
        return [(row.requester, interval_start(row.starts_at, 300.0)) for row in rows]


def test_a_restart_goes_on_with_the_same_energy_and_never_goes_back_in_time(settings: Settings) -> None:
    async def main() -> None:
        async with open_plant(settings) as plant:
            assert (await discharge(plant, 2000.0))["status"] == "accepted"
            for _ in range(30):
                await plant.step()
            stopped_at = plant.workplace.clock.now()
            with plant.workplace.ledger.reading() as connection:
                before = latest_report(connection)
        async with open_plant(settings, at=BEFORE_MIDNIGHT - timedelta(hours=1)) as plant:
            assert plant.workplace.clock.now() >= stopped_at - timedelta(seconds=5)
            with plant.workplace.ledger.reading() as connection:
                after = latest_report(connection)
        assert before is not None
        assert after is not None
        assert before.readings.battery.soc_kwh < plant.workplace.area.limits.battery.energy_kwh / 2
        assert after.readings.battery.soc_kwh == pytest.approx(before.readings.battery.soc_kwh, rel=1e-3)

    asyncio.run(main())


def test_an_owner_that_is_there_already_is_named(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with open_plant(settings):
            monkeypatch.setattr("smartgrid.process_lease.process_name", lambda: "elsewhere:1")
            with pytest.raises(RoleError, match="has the plant of"):
                async with open_plant(settings):
                    pass

    asyncio.run(main())


def test_a_model_of_another_cadence_is_refused(settings: Settings) -> None:
    model = train(training_series(900.0)[:8], cadence_s=900.0, site_tz=TZ)
    shutil.rmtree(settings.model_dir)
    model.save(settings.model_dir)

    async def main() -> None:
        async with open_plant(settings):
            pass

    with pytest.raises(ModelError, match="cadence_s: the stream's 5 s is not the model's 900 s"):
        asyncio.run(main())


def test_days_of_the_simulated_area_join_without_a_step(settings: Settings) -> None:
    metadata = load_stream_model(settings.model_dir).metadata
    prices = PriceModel(metadata.p5_net_load_kw, metadata.p95_net_load_kw, metadata.p97_change_kw)
    area = SimulatedArea(1, prices)
    day = date(2026, 7, 4)
    first, second = area.day(day).frame, area.day(day + timedelta(days=1)).frame
    assert first.index[0] == midnight(day)
    assert len(first) == 17_280
    assert second.index[0] - first.index[-1] == timedelta(seconds=5)
    assert (
        abs(second["net_load_kw"].iloc[0] - first["net_load_kw"].iloc[-1])
        < 0.01 * first["net_load_kw"].mean()
    )
    assert not first.isna().to_numpy().any()
    balance = first["load_kw"] - first["solar_kw"] - first["wind_kw"]
    np.testing.assert_allclose(first["net_load_kw"], balance)
