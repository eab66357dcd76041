"""A consumer group as discrete events: batches, commits, lost workers, rebalances, rewinds, stalls.

What is in it: records arrive evenly; a worker polls, takes its partitions' records in equal shares,
and is busy for so long as they cost; it commits what the batch before finished, twice a second. A
worker that is killed is missed when its session ends; its partitions then go to whoever has fewest
(cooperative: nobody else's move), who reads them again from their mark, one to two retentions before
what was committed (ADR 0009). A worker that joins later takes its share in two steps, as the
cooperative protocol does. While the broker or the store is away, every worker stands still.

What is not: the broker's own limits, fetching ahead, and how long a large group takes to agree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import floor
from random import Random
from typing import Final

from pipeline.engine import BATCH_RECORDS
from pipeline.kafka_stream import COMMIT_EVERY_S, POLL_WAIT_S, SESSION_TIMEOUT_S
from smartgrid.bench.scale_recovery import Sample

HEARTBEAT_S: Final = 3.0
"""Between a member's signs of life, as librdkafka has it by default; it learns of a rebalance at one."""
NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Scenario:
    """A group under load.

    Attributes:
        events_per_s: of all partitions together.
        partitions: of the topic.
        workers: at the start.
        event_s: wall seconds that a worker takes for an event.
        rebuild_s: the same for a record that only rebuilds a state.
        retention_s: how far back a state reaches, in seconds of the log.
        log_s: how much log there is at the start; nothing is rewound beyond its beginning.
        together: whether all partitions move their marks at the same moment.
        batch_records: at most in a batch; larger ones make large groups quick to simulate.
    """

    events_per_s: float
    partitions: int
    workers: int
    event_s: float
    rebuild_s: float
    retention_s: float
    log_s: float
    together: bool = False
    batch_records: int = BATCH_RECORDS
    session_s: float = SESSION_TIMEOUT_S
    heartbeat_s: float = HEARTBEAT_S
    commit_s: float = COMMIT_EVERY_S
    poll_s: float = POLL_WAIT_S


@dataclass(frozen=True, slots=True)
class Kill:
    """So many workers end at once; others start in their places after a while, or never where None."""

    at_s: float
    workers: int = 1
    back_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Stall:
    """The broker or the store is away: no batch is finished meanwhile, and meters go on sending."""

    at_s: float
    for_s: float


@dataclass(slots=True)
class _Partition:
    """Offsets; ``done`` is the highest that was ever finished, ``life`` counts its owners."""

    begin: int
    phase: float
    read: int
    resume: int
    done: int
    committed: int
    owner: int = NOBODY
    life: int = 0


@dataclass(slots=True)
class Worker:
    """A worker.

    Attributes:
        alive: not killed.
        busy_s: time spent in batches.
        finished: records that it finished, rebuilt and repeated ones included.
    """

    alive: bool = True
    life: int = 0
    committed_at_s: float = 0.0
    due: dict[int, int] = field(default_factory=dict)
    busy_s: float = 0.0
    finished: int = 0


_Taken = list[tuple[int, int, int]]
"""Partition, its life, and the offset that its records end at."""


class Simulation:
    """One run.

    Args:
        scenario: what there is.
        faults: what happens to it.
        seed: draws when sessions end, members notice, and marks move.
    """

    def __init__(self, scenario: Scenario, faults: Sequence[Kill | Stall], seed: int) -> None:
        self._is = scenario
        self._random = Random(seed)  # noqa: S311  no secret
        self._now_s = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._stalled_until_s = 0.0
        self._per_s = scenario.events_per_s / scenario.partitions
        self.processed = 0
        self.workers = [Worker() for _ in range(scenario.workers)]
        self._has: list[list[int]] = [[] for _ in self.workers]
        self._partitions = [self._partition() for _ in range(scenario.partitions)]
        for number in range(scenario.partitions):
            self._own(number, number % scenario.workers)
        for worker in range(scenario.workers):
            self._at(self._random.uniform(0.0, scenario.poll_s), self._poller(worker))
        for fault in faults:
            self._at(fault.at_s, self._maker(fault))

    def run(self, until_s: float, sample_s: float = 0.25) -> list[Sample]:
        """What it looks like at each moment, from the start on."""
        samples = []
        for step in range(round(until_s / sample_s) + 1):
            moment = step * sample_s
            while self._heap and self._heap[0][0] <= moment:
                self._now_s, _, action = heappop(self._heap)
                action()
            self._now_s = moment
            samples.append(self._sample())
        return samples

    @property
    def owners(self) -> list[int]:
        """By partition, its worker, or :data:`NOBODY`."""
        return [partition.owner for partition in self._partitions]

    def _partition(self) -> _Partition:
        end = round(self._per_s * self._is.log_s)
        phase = 0.0 if self._is.together else self._random.random()
        return _Partition(end, phase, end, end, end, end)

    def _sample(self) -> Sample:
        pairs = [(self._end(partition), partition) for partition in self._partitions]
        return Sample(
            self._now_s,
            arrived=sum(end - partition.begin for end, partition in pairs),
            lag=sum(end - partition.committed for end, partition in pairs),
            processed=self.processed,
            unfinished=sum(end - partition.done for end, partition in pairs),
            worst=max(end - partition.done for end, partition in pairs),
        )

    def _at(self, t_s: float, action: Callable[[], None]) -> None:
        heappush(self._heap, (t_s, next(self._order), action))

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._at(self._now_s + seconds, action)

    def _end(self, partition: _Partition) -> int:
        return partition.begin + floor(self._per_s * self._now_s)

    # -- a worker's round -----------------------------------------------------------------------

    def _poller(self, worker: int) -> Callable[[], None]:
        life = self.workers[worker].life

        def poll() -> None:
            if self.workers[worker].life != life:
                return
            if self._now_s < self._stalled_until_s:
                self._at(self._stalled_until_s, poll)
            elif self._waiting(worker) >= self._is.batch_records:
                self._take(worker)
            else:
                self._after(self._is.poll_s, lambda: self._take(worker, life))

        return poll

    def _waiting(self, worker: int) -> int:
        owned = (self._partitions[number] for number in self._has[worker])
        return sum(self._end(partition) - partition.read for partition in owned)

    def _take(self, worker: int, life: int | None = None) -> None:
        if life is not None and self.workers[worker].life != life:
            return
        taken, cost_s = self._batch(worker)
        if not taken:
            self._settle(worker)
            self._after(0.0, self._poller(worker))
            return
        self._after(cost_s, lambda: self._finish(worker, self.workers[worker].life, taken, cost_s))

    def _batch(self, worker: int) -> tuple[_Taken, float]:
        """Equal shares of what waits, fullest partitions last so that they take what others leave."""
        owned = [(number, self._partitions[number]) for number in self._has[worker]]
        parts = [(self._end(found) - found.read, number) for number, found in owned]
        taken: _Taken = []
        cost_s, left = 0.0, self._is.batch_records
        for place, (waiting, number) in enumerate(sorted(parts)):
            partition = self._partitions[number]
            records = min(waiting, -(-left // (len(parts) - place)))
            if records == 0:
                continue
            rebuilt = max(0, min(records, partition.resume - partition.read))
            cost_s += rebuilt * self._is.rebuild_s + (records - rebuilt) * self._is.event_s
            taken.append((number, partition.life, partition.read + records))
            left -= records
        return taken, cost_s

    def _finish(self, worker: int, life: int, taken: _Taken, cost_s: float) -> None:
        who = self.workers[worker]
        if who.life != life:
            return
        if self._now_s < self._stalled_until_s:
            self._at(self._stalled_until_s, lambda: self._finish(worker, life, taken, cost_s))
            return
        who.busy_s += cost_s
        if self._now_s - who.committed_at_s >= self._is.commit_s:
            self._settle(worker)
        for number, owned, end in taken:
            partition = self._partitions[number]
            if partition.life != owned:
                continue
            who.finished += end - partition.read
            self.processed += max(0, end - partition.done)
            partition.read, partition.done = end, max(partition.done, end)
            who.due[number] = end
        self._poller(worker)()

    def _settle(self, worker: int) -> None:
        """Commit what the batches before finished."""
        who = self.workers[worker]
        who.committed_at_s = self._now_s
        due, who.due = who.due, {}
        for number, end in due.items():
            partition = self._partitions[number]
            partition.committed = max(partition.committed, end)

    # -- faults ---------------------------------------------------------------------------------

    def _maker(self, fault: Kill | Stall) -> Callable[[], None]:
        return lambda: self._stall(fault) if isinstance(fault, Stall) else self._kill(fault)

    def _stall(self, stall: Stall) -> None:
        self._stalled_until_s = max(self._stalled_until_s, self._now_s + stall.for_s)

    def _kill(self, kill: Kill) -> None:
        alive = [number for number, worker in enumerate(self.workers) if worker.alive]
        noticed = self._random.uniform(self._is.session_s - self._is.heartbeat_s, self._is.session_s)
        learnt = self._random.uniform(0.0, self._is.heartbeat_s)
        for number in alive[: kill.workers]:
            orphans = list(self._has[number])
            self.workers[number] = Worker(alive=False, life=self.workers[number].life + 1)
            for orphan in orphans:
                self._free(orphan)
            self._after(noticed + learnt, lambda orphans=orphans: self._give(orphans))  # type: ignore[misc]
            if kill.back_after_s is not None:
                self._after(kill.back_after_s, lambda number=number: self._join(number))  # type: ignore[misc]

    def _own(self, number: int, worker: int) -> None:
        self._partitions[number].owner = worker
        self._has[worker].append(number)

    def _free(self, number: int) -> None:
        partition = self._partitions[number]
        self._has[partition.owner].remove(number)
        partition.owner = NOBODY
        partition.life += 1

    def _give(self, numbers: Sequence[int]) -> None:
        """Partitions without an owner go to the living workers that have fewest."""
        for number in numbers:
            living = [place for place, worker in enumerate(self.workers) if worker.alive]
            if not living:
                self._after(self._is.poll_s, lambda: self._give(numbers))
                return
            partition = self._partitions[number]
            if partition.owner != NOBODY:
                continue
            self._own(number, min(living, key=lambda place: len(self._has[place])))
            partition.read, partition.resume = self._mark(partition), partition.committed

    def _mark(self, partition: _Partition) -> int:
        """One to two retentions before what is committed; marks move on by one at a time."""
        step = self._per_s * self._is.retention_s
        if step < 1.0:
            return partition.committed
        steps = floor(partition.committed / step - partition.phase) - 1
        return max(0, min(partition.committed, round((steps + partition.phase) * step)))

    def _join(self, worker: int) -> None:
        """A new member; where all partitions have owners it takes its share from those with most."""
        self.workers[worker] = Worker(life=self.workers[worker].life + 1, committed_at_s=self._now_s)
        self._poller(worker)()
        self._after(self._random.uniform(0.0, self._is.heartbeat_s), lambda: self._make_room(worker))

    def _make_room(self, worker: int) -> None:
        living = [place for place, found in enumerate(self.workers) if found.alive]
        share = self._is.partitions // len(living)
        orphans = sum(partition.owner == NOBODY for partition in self._partitions)
        moved = []
        for _ in range(share - len(self._has[worker]) - orphans):
            fullest = max(living, key=lambda place: len(self._has[place]))
            number = self._has[fullest][-1]
            self._settle(fullest)
            self._free(number)
            moved.append(number)
        self._after(self._random.uniform(0.0, self._is.heartbeat_s), lambda: self._give(moved))
