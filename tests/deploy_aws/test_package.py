"""The function's package: what its handler imports, alone, and small enough for Lambda."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from packaging.requirements import Requirement

from grid.telemetry import Telemetry
from pipeline.engine import StreamEngine
from pipeline.forecasting.stream_forecaster import load_stream_model
from pipeline.memory_stream import MemoryStream
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC, encode_telemetry
from pipeline.producer import publish
from pipeline.training import train
from pipeline.transport import Record
from smartgrid.testing.days import SITE_TZ, made_up_series
from tests.pipeline.msk_events import msk_event

START = datetime(2024, 5, 1, tzinfo=UTC)
LEFT_OUT = ("pandas", "sklearn", "matplotlib", "chromadb", "mcp", "langgraph", "rich", "typer")
RUN = """
import json, os, sys
tree, event = sys.argv[1], json.load(sys.stdin)
os.environ["LAMBDA_TASK_ROOT"], sys.path[:0] = tree, [tree]
from smartgrid.aws.lambda_function import handler
class Context:
    def get_remaining_time_in_millis(self):
        return 300_000
made = handler(event, Context())
import pipeline.influx_store
homes = {getattr(module, "__file__", None) or "" for module in sys.modules.values()}
strangers = [home for home in homes if "site-packages" in home and not home.startswith(tree)]
print(json.dumps([made, strangers, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
"""What Lambda's runtime does; Python finds the standard library and the package, and nothing else."""


@pytest.fixture(scope="module")
def tree(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with a small model, for the Python that runs the tests."""
    folder = tmp_path_factory.mktemp("aws")
    train(made_up_series(), cadence_s=300.0, site_tz=SITE_TZ, trees=5).save(folder / "model")
    builder.build(folder / "build", folder / "model")
    return folder / "build"


def test_the_package_is_small_enough_and_holds_nothing_that_no_import_needs(
    tree: Path, builder: ModuleType
) -> None:
    size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    assert 150e6 < size < builder.MOST_BYTES == 250e6
    assert not [name for name in LEFT_OUT if (tree / name).exists()]
    assert not [*tree.rglob("tests"), *tree.rglob("*.pyi")]
    assert (tree / "model" / "model.json").is_file()


@pytest.fixture(scope="module")
def brokers() -> Iterator[tuple[Producer, str]]:
    """librdkafka's mock cluster in this process: other processes can reach it."""
    producer = Producer({"test.mock.num.brokers": 1, "log_level": 2})
    (broker,) = producer.list_topics(timeout=10).brokers.values()
    yield producer, f"{broker.host}:{broker.port}"
    producer.flush()


def pulses() -> list[Telemetry]:
    return [
        Telemetry(site, START + timedelta(minutes=5 * i), load_kw=700.0 + i % 11, net_load_kw=650.0 + i % 7)
        for i in range(40)
        for site in ("meter-1", "meter-2", "meter-3")
    ]


def read(address: str, topic: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(4)])
    found: list[Message] = []
    while len(found) < count:
        found += consumer.consume(count - len(found), 10.0)
    consumer.close()
    return found


def test_the_package_alone_forecasts_an_event_and_what_lies_before_it_as_the_stream_does(
    tree: Path, brokers: tuple[Producer, str]
) -> None:
    producer, address = brokers
    for pulse in pulses():
        producer.produce(TELEMETRY_TOPIC, encode_telemetry(pulse), pulse.site)
    producer.flush()
    log = [_record(message) for message in read(address, TELEMETRY_TOPIC, len(pulses()))]
    newest = {record.partition: record for record in sorted(log, key=lambda record: record.offset)}
    settings = {"SMARTGRID_KAFKA": address, "SMARTGRID_LOG_FORMAT": "json", "SMARTGRID_LOG_LEVEL": "INFO"}
    made = _run(tree, msk_event(newest.values()), **settings)
    assert made == {"forecasts": len(log), "dead_letters": 0}
    got = [message.value() or b"" for message in read(address, FORECASTS_TOPIC, len(log))]
    stream = MemoryStream()
    publish(stream, pulses())
    StreamEngine(stream, None, load_stream_model(tree / "model")).drain()
    assert sorted(got) == sorted(record.value for record in stream.records(FORECASTS_TOPIC))


def _record(message: Message) -> Record:
    place = message.partition() or 0, message.offset() or 0
    key, value = message.key(), message.value()
    assert isinstance(key, bytes) and isinstance(value, bytes)
    return Record(TELEMETRY_TOPIC, *place, key.decode(), value, message.timestamp()[1])


def _run(tree: Path, event: dict[str, Any], **environment: str) -> dict[str, int]:
    """What the handler answers, in a process that finds the standard library and the package alone."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", RUN, str(tree)],
        input=json.dumps(event), env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    metric, answer = map(json.loads, done.stdout.splitlines())
    made, strangers, imported = answer
    assert strangers == []
    assert not {*LEFT_OUT} & {*imported}
    assert metric["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "SmartGrid"
    assert (metric["Forecasts"], metric["DeadLetters"]) == (made["forecasts"], made["dead_letters"])
    assert isinstance(made, dict)
    return made


def test_the_packaged_signer_makes_a_token_without_asking_anybody(tree: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "from pipeline.kafka_settings import KafkaConnection, KafkaSecurity\n"
        "security = KafkaSecurity(tls=True, mechanism='AWS_MSK_IAM', aws_region='eu-west-1')\n"
        "print(KafkaConnection('b:9098', security).config()['oauth_cb'](''))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(tree)],
        env={"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"},
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"\('[\w-]{100,}', \d{10}\.\d+\)\s*", done.stdout)


def test_a_package_that_is_too_large_is_refused(
    tree: Path, builder: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "MOST_BYTES", 100_000_000)
    with pytest.raises(builder.BuildError, match="MB, over Lambda's 100"):
        builder._checked_size(tree)


def test_the_package_is_built_without_a_model_by_no_command(
    builder: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        builder.main([])
    assert "--model" in capsys.readouterr().err


def test_versions_are_the_products_own(repository: Path, builder: ModuleType) -> None:
    ours = pins(repository / "requirements.lock")
    theirs = pins(builder.LOCK)
    asked = {
        Requirement(line).name
        for line in (builder.HERE / "requirements.in").read_text().splitlines()
        if not line.startswith("#")
    }
    assert asked <= {name for name, _ in theirs}
    shared = {name for name, _ in ours}
    assert {name for name, _ in theirs - ours if name in shared} == set()


def pins(lock: Path) -> set[tuple[str, str]]:
    return {*re.findall(r"^([a-z0-9][\w.-]*)==([^\s;]+)", lock.read_text("utf-8"), re.MULTILINE)}


def test_the_package_resolves_to_wheels_for_each_python_that_the_function_may_have(
    builder: ModuleType, tmp_path: Path
) -> None:
    for runtime in builder.RUNTIMES:
        builder._uv(
            *("pip", "install", "--dry-run", "--quiet", "--target", str(tmp_path), "--require-hashes"),
            *("-r", str(builder.LOCK), "--python-version", runtime.removeprefix("python")),
            *("--python-platform", builder.PLATFORM, "--only-binary", ":all:"),
        )
