"""``smartgrid stream`` on a real broker, watched as a collector watches it."""

import json
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from grid.telemetry import Telemetry
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import TELEMETRY_TOPIC, encode_telemetry
from tests.services.topic_reader import until
from tests.smartgrid.roles import command, environment

pytestmark = pytest.mark.service

GOOD, BAD = 8, 3


def fetch(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310  our own address
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(text: str) -> dict[tuple[str, str], float]:
    """(name, label values) → value."""
    return {
        (sample.name.removeprefix("smartgrid_stream_"), ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


class Watched:
    """A stream process with its metrics on a free port and its log as JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.logged: list[dict[str, str]] = []
        said = self.read_until(lambda line: line["message"].startswith("metrics: "))["message"]
        self.address = said.removeprefix("metrics: ").removesuffix("/metrics")

    def read_until(self, found: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """Its first line from here on that is what is looked for."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.logged.append(json.loads(line))
            if found(self.logged[-1]):
                return self.logged[-1]
        raise AssertionError(f"ended with {self._process.wait()}: {self.logged}")

    def metrics(self) -> dict[tuple[str, str], float]:
        return samples(fetch(f"{self.address}/metrics")[1])

    def stop(self) -> str:
        """What it says on standard output until its end; its log is kept."""
        self._process.terminate()
        out, err = self._process.communicate(timeout=60)
        self.logged += [json.loads(line) for line in err.splitlines()]
        return out


@contextmanager
def watched_stream(kafka: KafkaConnection, prefix: str, model: Path, state: Path) -> Iterator[Watched]:
    names = ("--brokers", kafka.brokers, "--topic-prefix", prefix, "--group", prefix + "g")
    paths = ("--model", str(model), "--state", str(state))
    process = subprocess.Popen(
        [command(), "stream", *names, *paths, "--metrics-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(SMARTGRID_LOG_FORMAT="json", SMARTGRID_LOG_LEVEL="INFO"),
    )
    try:
        yield Watched(process)
    finally:
        process.kill()
        process.communicate(timeout=30)


def publish(writer: KafkaWriter, newest: datetime) -> None:
    for i in reversed(range(GOOD)):
        pulse = Telemetry("area", newest - i * timedelta(minutes=5), net_load_kw=500.0 + i)
        writer.produce(TELEMETRY_TOPIC, "area", encode_telemetry(pulse))
    writer.produce(TELEMETRY_TOPIC, "area", encode_telemetry(pulse))
    for value in (b"{}", b"{}", b"\xff"):
        writer.produce(TELEMETRY_TOPIC, "area", value)
    writer.flush()


def lags_of(seen: dict[tuple[str, str], float]) -> dict[str, float]:
    return {partition: value for (name, partition), value in seen.items() if name == "lag_records"}


def test_a_stream_shows_what_it_did_how_far_behind_it_is_and_that_it_is_ready(
    kafka: KafkaConnection, writer: KafkaWriter, topics: str, model_dir: Path, tmp_path: Path
) -> None:
    newest = datetime.now(UTC) - timedelta(hours=1)
    publish(writer, newest)
    with watched_stream(kafka, topics, model_dir, tmp_path) as stream:
        assert fetch(f"{stream.address}/healthz")[0] == 200
        warned = stream.read_until(lambda line: line["logger"] == "pipeline.engine")
        until(
            lambda: stream.metrics().get(("events_total", "dead_letters"), 0) == BAD,
            lambda: None,
            "the dead letters in the metrics",
        )
        until(  # a partition's end is known once the broker has answered for it
            lambda: len(lags_of(stream.metrics())) == 4,
            lambda: None,
            "the lag of every partition",
        )
        ready = fetch(f"{stream.address}/readyz")
        seen = stream.metrics()
        age_s = (datetime.now(UTC) - newest).total_seconds()
        out = stream.stop()
    assert ready == (200, '{"ready":true,"reasons":[]}')
    assert seen["events_total", "accepted"] == seen["forecasts_total", ""] == GOOD
    assert seen["events_total", "duplicates"] == 1
    assert seen["dead_letters_total", "schema"] == 2
    assert seen["dead_letters_total", "undecodable"] == 1
    assert seen["batch_seconds_count", ""] >= 1
    ages = [value for (name, _), value in seen.items() if name == "event_age_seconds"]
    assert ages == [pytest.approx(age_s, abs=60)]
    assert 0 <= seen["forecast_age_seconds", ""] < 60
    assert lags_of(seen) == dict.fromkeys("0123", 0.0)

    assert out == ""
    assert stream.logged[-1]["message"].startswith(f"{GOOD + 1 + BAD} records: {GOOD} forecasts")
    assert {"level", "logger", "time"} <= set(stream.logged[-1])
    assert (warned["level"], "dead letters" in warned["message"]) == ("WARNING", True)
