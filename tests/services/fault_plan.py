"""Which faults are made, and when: drawn from a seed, each kind at least once where the number allows."""

from dataclasses import dataclass
from random import Random
from typing import Literal

Moment = Literal["at any time", "after it started", "after a forecast was written", "after a rebalance"]
MOMENTS: tuple[Moment, ...] = (
    "after a rebalance",
    "after a forecast was written",
    "after it started",
    "at any time",
)
"""After a rebalance workers rebuild states from the log; what was just written may not be committed yet."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL for so many workers at a moment; others start in their places at once."""

    moment: Moment
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Move:
    """A worker leaves in order, so that its partitions move to the other one; and comes back."""


@dataclass(frozen=True, slots=True)
class BrokerKill:
    """SIGKILL for the broker; so many workers are killed and replaced while it is away."""

    workers: int


Fault = Kill | Move | BrokerKill


def plan(kills: int, random: Random, *, broker: bool) -> list[Fault]:
    """Faults with exactly so many kills of workers, among them moves and, if it may be, one of the broker."""
    left = kills
    faults: list[Fault] = []
    if broker:
        while_away = min(1, left)
        left -= while_away
    while left > 0:
        both = left > 1 and random.random() < 0.25
        faults.append(Kill(MOMENTS[len(faults) % len(MOMENTS)], 2 if both else 1))
        left -= 2 if both else 1
    random.shuffle(faults)
    if broker:
        faults.insert(random.randint(0, len(faults)), BrokerKill(while_away))
    for _ in range(1 + kills // 8):
        faults.insert(random.randint(0, len(faults)), Move())
    return faults
