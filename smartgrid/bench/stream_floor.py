"""The bare floor of the stream benchmark: what Kafka, JSON and XGBoost alone cost.

It consumes the same bytes with the same client settings, decodes and encodes them as the product
does, predicts rows that were made beforehand in the same batches, and writes back. It keeps no
state, checks nothing, commits nothing, and waits for delivery only at the end.
"""

from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from pipeline.engine import BATCH_RECORDS
from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_stream import POLL_WAIT_S, KafkaStream
from pipeline.messages import FORECASTS_TOPIC, TELEMETRY_TOPIC, TelemetryMessage, encode_forecasts
from smartgrid.bench.stream_model import BareTrees
from smartgrid.bench.stream_worker import BenchError, Reins, Stopwatch, WorkerReport, WorkerTask

_HORIZON = timedelta(minutes=30)
_MODEL_NAME = "xgboost-0123456789ab"
_ROOM_WAIT_S = 0.1
_DECODE = msgspec.json.Decoder(TelemetryMessage).decode


@dataclass(frozen=True)
class _NotedConnection(KafkaConnection):
    """Notes with which settings the product opens its clients."""

    noted: dict[Any, dict[str, Any]] = field(default_factory=dict)

    def open(self, kind: Any, more: dict[str, Any]) -> Any:
        self.noted[kind] = more
        return super().open(kind, more)


class _Floor:
    """The clients and the trees."""

    def __init__(self, task: WorkerTask) -> None:
        settings = _NotedConnection(task.connection.brokers, task.connection.security)
        with closing(KafkaStream(settings, group=task.group, prefix=task.prefix)):
            pass
        self._consumer: Consumer = settings.open(Consumer, settings.noted[Consumer])
        self._producer: Producer = settings.open(Producer, settings.noted[Producer])
        self._topic = task.prefix + FORECASTS_TOPIC
        self._trees = BareTrees(task.model_dir)
        self.done = 0
        self._consumer.assign(
            [TopicPartition(task.prefix + TELEMETRY_TOPIC, *place) for place in task.begin.items()]
        )

    def batch(self) -> None:
        """Records to forecasts."""
        messages = self._consumer.consume(BATCH_RECORDS, POLL_WAIT_S)
        pulses = list(map(_DECODE, [message.value() or b"" for message in messages]))
        if not pulses:
            return
        bands = self._trees.bands(len(pulses))
        sites, issued_at = [pulse.site for pulse in pulses], [pulse.ts_utc for pulse in pulses]
        values = encode_forecasts(sites, issued_at, _HORIZON, bands, _MODEL_NAME)
        produce, topic = self._producer.produce, self._topic
        for site, value in zip(sites, values, strict=True):
            try:
                produce(topic, value, site)
            except BufferError:
                self._produce_once_there_is_room(value, site)
        self._producer.poll(0)
        self.done += len(pulses)

    def _produce_once_there_is_room(self, value: bytes, site: str) -> None:
        while True:
            self._producer.poll(_ROOM_WAIT_S)
            try:
                return self._producer.produce(self._topic, value, site)
            except BufferError:
                continue

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def deliver(self) -> None:
        """Wait until everything is delivered.

        Raises:
            BenchError: if it is not.
        """
        if left := self._producer.flush(60.0):
            raise BenchError(f"floor: {left} records undelivered after a minute; are the brokers up?")


def floor(task: WorkerTask, reins: Reins) -> WorkerReport:
    """Run in, then measure."""
    with closing(_Floor(task)) as bare:
        reins.ready()
        while bare.done < task.run_in:
            bare.batch()
        reins.ready()
        since, watch = bare.done, Stopwatch()
        while bare.done - since < (task.events or 0):
            bare.batch()
        bare.deliver()
        events = bare.done - since
        return watch.stop(WorkerReport(events=events, forecasts=events, written=bare.done))
