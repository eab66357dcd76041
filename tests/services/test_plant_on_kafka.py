"""The whole stack with its stream on Kafka and its series in InfluxDB: settings alone make the difference."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from dispatch.schema import proposals
from grid.clock import SimulatedClock
from grid.settled import AssetDispatch, EnergyTrade
from grid.synthetic import training_series
from grid.telemetry import AREA_SITE, NATIVE_SITE
from pipeline.engine import StreamEngine
from pipeline.errors import StoreError, TransportError
from pipeline.forecast import Forecast
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.influx_store import InfluxStore
from pipeline.influx_target import InfluxTarget
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import KafkaStream
from pipeline.kafka_topics import TopicPlan, create_topics
from policies.limits import load_limits
from smartgrid import embedded_plant
from smartgrid.day.preparation import learn
from smartgrid.embedded_plant import PULSE, WARM_UP, EmbeddedPlant
from smartgrid.influx_access import influx_target
from smartgrid.joined import join
from smartgrid.observability import unready
from smartgrid.series_store import stream_store
from smartgrid.settings import Settings
from smartgrid.simulated_area import TZ
from tests.services.topic_reader import until
from tests.services_influx.server import own_bucket, private_server

pytestmark = pytest.mark.service

NOON = datetime(2026, 3, 1, 19, tzinfo=UTC)
"""In the area's local time."""


@pytest.fixture(scope="session")
def fine_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``up`` trains it at its first start, from fewer days."""
    folder = tmp_path_factory.mktemp("trained")
    learn(training_series()[:8], tz=TZ, limits=load_limits(None)).save(folder)
    return folder


@pytest.fixture
def settings(kafka: KafkaConnection, fine_model: Path, tmp_path: Path) -> Iterator[Settings]:
    shutil.copytree(fine_model, tmp_path / "state" / "model")
    with own_bucket() as target:
        yield Settings(
            state=tmp_path / "state",
            kafka=kafka.brokers,
            influx_url=target.url,
            influx_org=target.org,
            influx_bucket=target.bucket,
            influx_token=SecretStr(target.token),
        )


def open_plant(settings: Settings, prefix: str, *loops: str) -> EmbeddedPlant:
    return EmbeddedPlant(settings, loops, SimulatedClock(NOON), group=f"{prefix}group", prefix=prefix)


def embedded(settings: Settings, state: Path) -> Settings:
    shutil.copytree(settings.model_dir, state / "model")
    return Settings(state=state, kafka=None, influx_url=None)


async def minutes(plant: EmbeddedPlant, count: int) -> None:
    for _ in range(count * 12):
        await plant.step()


async def forecasts_until_now(plant: EmbeddedPlant, site: str) -> list[Forecast]:
    """Everything forecast so far, once the newest is there."""
    now, reader = plant.workplace.clock.now(), plant.workplace.reader

    def newest_is_there() -> bool:
        newest = reader.latest_forecast(site)
        return newest is not None and newest.issued_at == now - PULSE

    await asyncio.to_thread(until, newest_is_there, lambda: time.sleep(0.02), f"the forecast of {now}")
    return reader.forecasts(site, now - timedelta(days=1), now)


Seen = tuple[list[list[Forecast]], list[AssetDispatch], list[EnergyTrade]]


async def all_seen(plant: EmbeddedPlant) -> Seen:
    """Forecasts, dispatches and trades until now."""
    made = [await forecasts_until_now(plant, site) for site in (AREA_SITE, NATIVE_SITE)]
    now, reader = plant.workplace.clock.now(), plant.workplace.reader
    span = (AREA_SITE, now - timedelta(days=1), now)
    return made, reader.dispatches(*span), reader.trades(*span)


def test_settings_alone_take_the_plant_to_kafka_and_influxdb_with_the_same_results(
    settings: Settings, topics: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_plant, "PULSE_PATIENCE_S", 60.0)

    async def run(chosen: Settings) -> Seen:
        async with open_plant(chosen, topics, "response", "trading") as plant:
            await minutes(plant, 11)
            seen = await all_seen(plant)
            with join(chosen) as beside:
                assert beside.reader.latest(AREA_SITE, 3) == plant.workplace.reader.latest(AREA_SITE, 3)
        return seen

    scaled = asyncio.run(run(settings))
    assert not settings.telemetry_db.exists()
    assert asyncio.run(run(embedded(settings, tmp_path / "other"))) == scaled
    assert [len(made) for made in scaled[0]] == [(WARM_UP + timedelta(minutes=11)) // PULSE] * 2
    assert any(done.proposal_id for done in scaled[1])
    assert any(trade.value_usd for trade in scaled[2])


class HeldStore(InfluxStore):
    """Takes nothing from the stream until it is let."""

    def __init__(self, target: InfluxTarget) -> None:
        super().__init__(target)
        self.let = Event()

    def write(self, *batch: Any) -> None:
        self.let.wait()
        super().write(*batch)


def test_pulses_that_the_group_does_not_stream_hold_nobody_up_and_never_look_live(
    settings: Settings, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = HeldStore(influx_target(settings))
    monkeypatch.setattr(embedded_plant, "stream_store", lambda _settings: nullcontext(held))
    monkeypatch.setattr(embedded_plant, "WARM_UP_PATIENCE_S", 0.1)
    monkeypatch.setattr(embedded_plant, "PULSE_PATIENCE_S", 0.1)

    async def main() -> None:
        async with open_plant(settings, topics, "response", "trading") as plant:
            await minutes(plant, 6)
            assert plant.workplace.reader.latest(AREA_SITE) == []
            assert unready(plant.workplace) == ["no pulse yet"]
            assert proposals_of(plant) == 0
            held.let.set()
            await forecasts_until_now(plant, AREA_SITE)
            await forecasts_until_now(plant, NATIVE_SITE)
            assert unready(plant.workplace) == []
            await minutes(plant, 5)
            assert proposals_of(plant) > 0

    try:
        asyncio.run(main())
    finally:
        held.let.set()


def proposals_of(plant: EmbeddedPlant) -> int:
    with plant.workplace.ledger.reading() as connection:
        return connection.execute(select(func.count()).select_from(proposals)).scalar_one()


def test_a_further_member_takes_partitions_over_and_no_pulse_is_without_its_forecast(
    settings: Settings, kafka: KafkaConnection, prefix: str
) -> None:
    two = TopicPlan(partitions=2, replication=1, retention=timedelta(hours=1))
    create_topics(kafka, two, prefix=prefix)  # the sites' names fall on one each
    learnt = load_stream_model(settings.model_dir)

    async def main() -> None:
        async with open_plant(settings, prefix) as plant:
            await minutes(plant, 1)
            with (
                stream_store(settings) as store,
                KafkaStream(kafka, group=f"{prefix}group", prefix=prefix) as stream,
            ):
                ramp_limit_kw = plant.workplace.area.limits.ramp_limit_kw
                other = StreamEngine(stream, store, learnt, ramp_limit_kw=ramp_limit_kw)
                taken = 0
                give_up_s = time.monotonic() + 60.0
                while taken < 24:
                    assert time.monotonic() < give_up_s, "no partition was taken over in a minute"
                    await plant.step()
                    taken += (await asyncio.to_thread(other.run_once)).forecasts
            for site in (AREA_SITE, NATIVE_SITE):
                made = await forecasts_until_now(plant, site)
                now = plant.workplace.clock.now()
                pulses = plant.workplace.reader.telemetry(site, now - timedelta(days=1), now)
                assert [one.issued_at for one in made] == [pulse.ts_utc for pulse in pulses]
                assert len(pulses) == (now - NOON + WARM_UP) // PULSE

    asyncio.run(main())


def test_influxdb_killed_while_the_plant_runs_stops_nobody_and_loses_nothing(
    settings: Settings, topics: str, tmp_path: Path
) -> None:
    home = tmp_path / "private"
    home.mkdir()
    with private_server(home) as (server, target):
        away = settings.model_copy(update={"influx_url": target.url, "influx_bucket": target.bucket})

        async def main() -> None:
            async with open_plant(away, topics) as plant:
                await minutes(plant, 4)
                server("kill")
                for _ in range(6):
                    await plant.step()
                assert any("start InfluxDB" in reason for reason in unready(plant.workplace))
                server("up")
                await minutes(plant, 1)
                reader = plant.workplace.reader
                for site in (AREA_SITE, NATIVE_SITE):
                    made = await forecasts_until_now(plant, site)
                    assert len(made) == (plant.workplace.clock.now() - NOON + WARM_UP) // PULSE
                now = plant.workplace.clock.now()
                settled = reader.dispatches(AREA_SITE, NOON, now)
                assert sum(done.duration_s for done in settled) == 2 * (now - NOON).total_seconds()
                assert reader.quotes(AREA_SITE, NOON + timedelta(minutes=5), now)[0].price_usd_per_mwh

        asyncio.run(main())


def test_what_is_missing_on_the_services_is_named_with_the_command_that_makes_it(
    settings: Settings, prefix: str
) -> None:
    async def opened(wrong: Settings) -> None:
        async with open_plant(wrong, prefix):
            pass

    with pytest.raises(TransportError, match=r"grid\.telemetry.*smartgrid topics create"):
        asyncio.run(opened(settings))
    with pytest.raises(StoreError, match="smartgrid store init"):
        asyncio.run(opened(settings.model_copy(update={"influx_bucket": "none-such"})))
