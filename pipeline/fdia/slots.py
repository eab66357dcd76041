"""Pulses of many sites gathered into the rows that the detector judges: means over slots of time.

Sums are whole numbers (:mod:`pipeline.fixed_point`), so that a slot's mean does not depend on how
its pulses were cut into batches.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import resized
from pipeline.fdia.layout import Booleans, Floats, Integers
from pipeline.fixed_point import to_kw, to_quanta

NEVER_OPEN = -1


@dataclass(frozen=True)
class Group:
    """Pulses of some sites, each site's in one slot; one entry a site unless said otherwise.

    Attributes:
        sites: each stands there once.
        slot: of its pulses.
        closing: the slot's last pulse is among them: it can be judged.
        quanta, counts: site × channel: sum and number of what is not missing.
        places: of the pulses in their batch; ``of_site`` gives for each the place of its site.
    """

    sites: Integers
    slot: Integers
    closing: Booleans
    quanta: Integers
    counts: Integers
    places: Integers
    of_site: Integers


def groups_of(
    sites: Integers, ts_ms: Integers, values_kw: Floats, *, slot_ms: int, pulse_ms: int
) -> Iterator[Group]:
    """Cut a batch so that each site's pulses come in their order, a slot at a time.

    Args:
        sites, ts_ms: of the pulses.
        values_kw: channel × pulse; NaN where missing.
        slot_ms: length of a slot.
        pulse_ms: time between a site's pulses; the slot's last is the first that reaches its end.
    """
    if not len(sites):
        return
    order = np.argsort(sites, kind="stable")
    site, slot = sites[order], ts_ms[order] // slot_ms
    closing = ts_ms[order] + pulse_ms >= (slot + 1) * slot_ms
    first_of_site = np.concatenate([[True], site[1:] != site[:-1]])
    begins = first_of_site.copy()
    begins[1:] |= (slot[1:] != slot[:-1]) | (closing[1:] != closing[:-1])
    starts = np.flatnonzero(begins)
    quanta, known = _quanta(values_kw[:, order], closing & ~begins)
    sums, counts = np.add.reduceat(quanta, starts, axis=1), np.add.reduceat(known, starts, axis=1)
    group_of_pulse = np.cumsum(begins) - 1
    rank = np.arange(len(starts)) - np.maximum.accumulate(
        np.where(first_of_site[starts], np.arange(len(starts)), 0)
    )
    rank_of_pulse, within = rank[group_of_pulse], np.empty(len(starts), dtype=np.int64)
    for turn in range(int(rank.max()) + 1):
        mine = np.flatnonzero(rank == turn)
        within[mine] = np.arange(len(mine))
        pulses = np.flatnonzero(rank_of_pulse == turn)
        at = starts[mine]
        yield Group(
            site[at], slot[at], closing[at], sums[:, mine].T, counts[:, mine].T,
            order[pulses], within[group_of_pulse[pulses]],
        )  # fmt: skip


def _quanta(values_kw: Floats, ignored: Booleans) -> tuple[Integers, Integers]:
    """Whole numbers, and which are there; of pulses that end a slot only the first counts."""
    known = ~np.isnan(values_kw) & ~ignored
    return to_quanta(np.where(known, values_kw, 0.0)), known.astype(np.int64)


def history_of(ts_ms: Integers, values_kw: Floats, *, slot_ms: int, end: int, most: int) -> Floats:
    """Channel × slot: means of one site's pulses, up to the slot before ``end``; NaN where nothing came.

    Args:
        ts_ms: ascending, before the slot ``end``.
        values_kw: channel × pulse.
        slot_ms: length of a slot.
        end: number of the slot that follows.
        most: how many slots are wanted at most.
    """
    slot = ts_ms // slot_ms
    first = max(int(slot[0]), end - most)
    wanted = slot >= first
    quanta, known = _quanta(values_kw[:, wanted], np.zeros(int(wanted.sum()), dtype=np.bool_))
    sums, counts = np.zeros((2, end - first, len(values_kw)), dtype=np.int64)
    np.add.at(sums, slot[wanted] - first, quanta.T)
    np.add.at(counts, slot[wanted] - first, known.T)
    return _means_kw(sums, counts).T


def _means_kw(quanta: Integers, counts: Integers) -> Floats:
    sums = to_kw(quanta)
    return np.asarray(np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0))


class Slots:
    """The open slot of every site.

    Args:
        channels: how many.
    """

    def __init__(self, channels: int) -> None:
        self.slot = np.zeros(0, dtype=np.int64)
        self.judged = np.zeros(0, dtype=np.bool_)
        self._quanta = np.zeros((0, channels), dtype=np.int64)
        self._counts = np.zeros((0, channels), dtype=np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.slot.nbytes + self.judged.nbytes + self._quanta.nbytes + self._counts.nbytes

    def resize(self, sites: int) -> None:
        """Make room."""
        self.slot, self.judged = resized(self.slot, sites), resized(self.judged, sites)
        self._quanta, self._counts = resized(self._quanta, sites), resized(self._counts, sites)

    def restart(self, sites: Integers) -> None:
        """Let some sites begin anew."""
        self.open(sites, np.full(len(sites), NEVER_OPEN))
        self.judged[sites] = True

    def open(self, sites: Integers, slot: Integers) -> None:
        """Begin a slot, empty."""
        self.slot[sites], self.judged[sites] = slot, False
        self._quanta[sites] = self._counts[sites] = 0

    def add(self, sites: Integers, quanta: Integers, counts: Integers) -> None:
        """Gather; each site stands there once."""
        self._quanta[sites] += quanta
        self._counts[sites] += counts

    def means_kw(self, sites: Integers) -> Floats:
        """Site × channel; NaN where nothing came."""
        return _means_kw(self._quanta[sites], self._counts[sites])
