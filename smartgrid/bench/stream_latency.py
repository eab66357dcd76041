"""From a pulse's way onto Kafka to its forecast in a reader's hand, at a steady rate."""

import time
from contextlib import closing
from dataclasses import dataclass

import msgspec
import numpy as np

from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC, ForecastMessage
from smartgrid.bench.stream_load import CADENCE_S, StreamLoad
from smartgrid.bench.stream_topics import BenchTopics
from smartgrid.bench.stream_worker import BenchError

_TURN_WAIT_S = 0.002
_PATIENCE_S = 60.0
_MOST_READ = 5000


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from produce to forecast.

    Attributes:
        rate_per_s: pulses per second that were produced.
        events: how many.
    """

    rate_per_s: float
    events: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def measure_latency(topics: BenchTopics, load: StreamLoad, rate_per_s: float, events: int) -> Latency:
    """Produce paced pulses and read their forecasts, in this one thread; a worker must be running.

    Args:
        topics: where.
        load: makes the messages; its paced turns are used.
        rate_per_s: how fast.
        events: how many.

    Raises:
        BenchError: if forecasts are missing.
    """
    turns = load.turns(load.size.paced_turns())
    pulses = [pair for turn in turns for pair in zip(load.keys, turn, strict=True)][:events]
    produced_s, read_s = np.full(events, np.nan), np.full(events, np.nan)
    first_turn = load.size.paced_turns()[0]
    decode = msgspec.json.Decoder(ForecastMessage).decode
    writer = KafkaWriter(topics.connection, prefix=topics.prefix)
    with closing(topics.consumer("latency")) as reader:
        reader.assign(topics.places(FORECASTS_TOPIC, topics.ends(FORECASTS_TOPIC)))
        reader.consume(1, 1.0)  # connects
        sent = got = 0
        begun = time.monotonic()
        while got < events:
            now = time.monotonic()
            due = min(events, int((now - begun) * rate_per_s) + 1)
            produced_s[sent:due] = now
            for key, value in pulses[sent:due]:
                writer.produce(TELEMETRY_TOPIC, key, value)
            writer.serve()
            sent = due
            messages = reader.consume(_MOST_READ, _TURN_WAIT_S)
            now = time.monotonic()
            for message in messages:
                forecast = decode(message.value() or b"")
                turn = (load.turn_of(forecast.issued_at) - first_turn) // round(CADENCE_S)
                read_s[turn * load.size.sites + int(forecast.site[4:])] = now
            got += len(messages)
            if now - begun > events / rate_per_s + _PATIENCE_S:
                raise BenchError(f"latency: {events - got} of {events} forecasts are missing after a minute")
    waited_ms = (read_s - produced_s) * 1000.0
    p50, p99 = np.percentile(waited_ms, [50, 99]).tolist()
    return Latency(rate_per_s, events, p50, p99, float(waited_ms.max()))
