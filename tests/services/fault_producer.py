"""A producer process: replays the fault test's log at a pace until its input ends, and says how much it sent.

``python -m tests.services.fault_producer BROKERS TOPIC_PREFIX SEED RECORDS_PER_SECOND``
"""

import select
import sys
import time

from pipeline.kafka_settings import KafkaConnection
from pipeline.kafka_writer import KafkaWriter
from pipeline.messages import TELEMETRY_TOPIC
from tests.services.fault_log import rounds


def replay(brokers: str, prefix: str, seed: int, rate: float) -> int:
    writer = KafkaWriter(KafkaConnection(brokers), prefix=prefix)
    begin, sent = time.monotonic(), 0
    for messages in rounds(seed):
        for key, value in messages:
            writer.produce(TELEMETRY_TOPIC, key, value)
        sent += len(messages)
        if _input_ends_within(begin + sent / rate - time.monotonic()):
            break
    writer.flush()
    return sent


def _input_ends_within(seconds: float) -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], max(0.0, seconds))
    return bool(ready)


if __name__ == "__main__":
    sys.stdout.write(f"{replay(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))}\n")
