"""How far a group has come in a log, and from where the log rebuilds what was known there.

A commit carries that mark as its metadata: ``rebuild_from=…``.
"""

import logging
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from pipeline.kafka_settings import LARGEST_MESSAGE_BYTES

logger = logging.getLogger(__name__)

BROKER_TIMEOUT_S: Final = 60.0
"""How long a broker that is away is waited for before the stream stops."""
_RETRY_S: Final = 0.5

READ_BY_HAND: Final = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "fetch.message.max.bytes": LARGEST_MESSAGE_BYTES,
    # Other requests to the same broker queue behind a waiting fetch.
    "fetch.wait.max.ms": 100,
}
"""How a log is read whose offsets are committed by hand, with a mark: from its beginning where none are."""

Answer = TypeVar("Answer")


class Progress(NamedTuple):
    """Where to read a partition.

    Attributes:
        start: the first offset to read; what lies before ``resume_at`` rebuilds the state.
        resume_at: the first offset that is not finished.
    """

    start: int
    resume_at: int


def progress_in_log(consumer: Consumer, committed: TopicPartition) -> Progress:
    """Where to go on after what a group committed; what the log no longer holds is logged.

    Args:
        consumer: asks the broker for the log's ends.
        committed: the group's offset and its metadata; a negative offset where there is none.
    """
    low, high = patiently(partial(consumer.get_watermark_offsets, committed, timeout=BROKER_TIMEOUT_S))
    resume_at = max(committed.offset, 0)
    if resume_at > high:
        logger.error(
            "%s[%d]: the group was at %d, the log ends at %d: it is another log, read from its start",
            committed.topic, committed.partition, resume_at, high,
        )  # fmt: skip
        resume_at = low
    wanted = min(_rebuild_from(committed.metadata), resume_at)
    _report_lost(committed, low=low, resume_at=resume_at, wanted=wanted)
    return Progress(max(wanted, low), resume_at)


def offset_with_mark(topic: str, partition: int, end: int, mark: int) -> TopicPartition:
    """What to commit: everything before ``end`` is done; ``mark`` is from where the log tells the rest."""
    return TopicPartition(topic, partition, end, metadata=f"rebuild_from={mark}")


def _report_lost(place: TopicPartition, *, low: int, resume_at: int, wanted: int) -> None:
    if low > resume_at > 0:
        logger.error(
            "%s[%d]: %d records were deleted before they were read; lengthen the topic's retention",
            place.topic, place.partition, low - resume_at,
        )  # fmt: skip
    elif low > wanted > 0:
        logger.warning(
            "%s[%d]: the log begins at %d, the state at %d; sites silent since then start anew",
            place.topic, place.partition, low, wanted,
        )  # fmt: skip


def passes(error: KafkaError) -> bool:
    """True for what a broker's restart or a slow network does, and time mends."""
    return error.retriable() or error.code() in {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._WAIT_COORD,
        KafkaError._RESOLVE,
        KafkaError._DESTROY_BROKER,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
    }


def patiently(
    ask: Callable[[], Answer],
    mends: Callable[[KafkaError], bool] = passes,
    *,
    within_s: float = BROKER_TIMEOUT_S,
    every_s: float = _RETRY_S,
) -> Answer:
    """Ask the broker, again for a while where it is away, or where time mends something else."""
    give_up_s = time.monotonic() + within_s
    while True:
        try:
            return ask()
        except KafkaException as error:
            if not mends(error.args[0]) or time.monotonic() > give_up_s:
                raise
        time.sleep(every_s)


def _rebuild_from(metadata: str | None) -> int:
    """The offset that a commit names; the log's beginning where it names none."""
    match = re.fullmatch(r"rebuild_from=([0-9]{1,18})", metadata or "")
    return int(match[1]) if match else 0
