"""kill -9, restart and moved partitions on a real broker: what one uninterrupted run makes, bit for bit."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from grid.telemetry import Telemetry
from pipeline.engine import BatchReport, StreamEngine
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import KafkaStream
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC, encode_telemetry
from pipeline.model import ForecastModel
from pipeline.sqlite_store import SqliteStore
from tests.services.topic_reader import TopicReader, offline, until

pytestmark = pytest.mark.service
START = datetime(2024, 5, 1, tzinfo=UTC)
SITES = [f"meter-{i}" for i in range(12)]


def pulses(begin: int, end: int) -> list[Telemetry]:
    """All sites' pulses, some late, some doubled, some without a net load; always the same."""
    made = []
    for i in range(begin, end):
        random = Random(i)
        for site in SITES:
            j = max(0, i - random.choice([0, 0, 0, 1, 4]))
            of_pulse = Random(f"{site} {j}")
            load = of_pulse.uniform(500.0, 900.0)
            level = None if of_pulse.random() < 0.1 else load - 50.0
            moment = START + timedelta(minutes=5 * j)
            made.append(Telemetry(site, moment, load_kw=load, solar_kw=49.0, wind_kw=1.0, net_load_kw=level))
    return made


def send(writer: KafkaWriter, part: list[Telemetry]) -> None:
    for pulse in part:
        writer.produce(TELEMETRY_TOPIC, pulse.site, encode_telemetry(pulse))
    writer.flush()


Process = AbstractContextManager["subprocess.Popen[str]"]


@pytest.fixture
def stream_process(
    kafka: KafkaConnection, topics: str, model_dir: Path, tmp_path: Path, repository: Path
) -> Callable[[], Process]:
    """Starts ``smartgrid stream``; it is killed at the end in any case."""
    command = [sys.executable, "-c", "from smartgrid.cli import main; main()", "stream"]
    options = {
        "--brokers": kafka.brokers,
        "--group": topics + "g",
        "--topic-prefix": topics,
        "--model": str(model_dir),
        "--state": str(tmp_path),
    }

    # The stream's store is the embedded one here, whatever services the environment names.
    embedded = {name: value for name, value in os.environ.items() if not name.startswith("SMARTGRID_INFLUX")}

    @contextmanager
    def start() -> Iterator["subprocess.Popen[str]"]:
        words = [*command, *(word for pair in options.items() for word in pair)]
        process = subprocess.Popen(
            words, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=embedded
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    return start


def test_a_stream_killed_in_the_middle_of_a_replay_loses_and_changes_nothing(
    writer: KafkaWriter,
    reader: TopicReader,
    stream_process: Callable[[], Process],
    model: ForecastModel,
    tmp_path: Path,
) -> None:
    log = pulses(0, 240)
    half = len(log) // 2
    with SqliteStore(tmp_path / "offline.db") as offline_store:
        whole = offline(log, model, offline_store)
        with stream_process() as first:
            send(writer, log[: half // 2])
            until(lambda: reader.count(FORECASTS_TOPIC) > 0, lambda: assert_runs(first), "a forecast")
            send(writer, log[half // 2 : half])
            first.kill()
        assert reader.count(FORECASTS_TOPIC) < len(whole)
        send(writer, log[half:])
        with stream_process() as second:
            until(
                lambda: reader.count(FORECASTS_TOPIC) >= len(whole) and reader.forecasts() == whole,
                lambda: assert_runs(second),
                "every forecast",
            )
            second.terminate()
            said, _ = second.communicate(timeout=30)
            assert second.returncode == 0, said
        assert reader.forecasts() == whole
        assert reader.letters() == []
        with SqliteStore(tmp_path / "telemetry.db", read_only=True) as store:
            for site in SITES:
                span = (site, START, START + timedelta(days=2))
                assert store.forecasts(*span) == offline_store.forecasts(*span)


def assert_runs(process: "subprocess.Popen[str]") -> None:
    assert process.poll() is None, process.stdout.read() if process.stdout else ""


class Member:
    """A consumer of the group in this process, with a store of its own."""

    def __init__(self, kafka: KafkaConnection, prefix: str, model: ForecastModel, folder: Path) -> None:
        self.stream = KafkaStream(kafka, group=prefix + "g", prefix=prefix)
        self.store = SqliteStore(folder / "telemetry.db")
        self.engine = StreamEngine(self.stream, self.store, model)
        self.total = BatchReport()

    def work(self) -> None:
        self.total += self.engine.run_once(200)

    def close(self) -> None:
        self.stream.close()
        self.store.close()


def test_a_partition_that_moves_between_two_consumers_takes_its_state_along(
    kafka: KafkaConnection, topics: str, model: ForecastModel, tmp_path: Path, reader: TopicReader
) -> None:
    writer = KafkaWriter(kafka, prefix=topics)
    for name in ("a", "b", "offline"):
        (tmp_path / name).mkdir()
    first = Member(kafka, topics, model, tmp_path / "a")
    send(writer, pulses(0, 60))
    until(lambda: first.total.polled >= 60 * len(SITES), first.work, "the first member's share")

    second = Member(kafka, topics, model, tmp_path / "b")

    def both() -> None:
        first.work()
        second.work()

    until(lambda: second.total.rebuilt > 0, both, "a partition to move, and its state to be rebuilt")
    send(writer, pulses(60, 120))
    until(lambda: first.total.polled + second.total.polled >= 120 * len(SITES), both, "both shares")
    assert second.total.polled > 0
    assert second.total.accepted > 0

    second.close()
    send(writer, pulses(120, 180))
    until(lambda: first.total.polled + second.total.polled >= 180 * len(SITES), first.work, "what moved back")
    first.close()
    assert first.total.rebuilt > 0
    with SqliteStore(tmp_path / "offline" / "telemetry.db") as store:
        assert reader.forecasts() == offline(pulses(0, 180), model, store)
