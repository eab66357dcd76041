"""From where the log must be read again to rebuild a site's state: one mark a site, as small as that.

A state rests on the site's accepted events from some event time on, the horizon: everything
within the retention, and one observation before it (the gradient's previous one). A checkpoint is
an offset with the newest event time that was known there; no event before the offset is newer.
Once an observation stands between a checkpoint's time and the retention, the horizon has passed
the checkpoint, so no record before its offset matters any more. From there on, or from any earlier
offset, the log gives the same state as from its beginning: whatever is decided about an event
after the horizon rests on events after the horizon.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from pipeline.arrays import Indices, Integers, resized

NO_OBSERVATION: Final = -1


class RebuildMarks:
    """The marks of many sites, moved on batch by batch; a site is a row.

    From its mark on, the log rebuilds a site's state. Its checkpoint is the offset that will be the
    next mark; the witness is the time of the first observation after the checkpoint.

    Args:
        retention_ms: how far back from its newest event a site's state reaches.
    """

    def __init__(self, retention_ms: int) -> None:
        self._retention_ms = retention_ms
        self._mark = np.empty(0, dtype=np.int64)
        self._checkpoint = np.empty(0, dtype=np.int64)
        self._witness_ms = np.empty(0, dtype=np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self._mark.nbytes + self._checkpoint.nbytes + self._witness_ms.nbytes

    def resize(self, sites: int) -> None:
        """Make room for so many rows; what is there stays."""
        self._mark, self._checkpoint = resized(self._mark, sites), resized(self._checkpoint, sites)
        self._witness_ms = resized(self._witness_ms, sites)

    def begin(self, row: int, offset: int) -> None:
        """Start a site whose first record has this offset."""
        self._mark[row] = self._checkpoint[row] = offset
        self._witness_ms[row] = NO_OBSERVATION

    def advance(
        self, rows: Indices, first_observation_ms: Integers, newest_ms: Integers, end_offset: Integers
    ) -> None:
        """Take note of a batch.

        Args:
            rows: the sites with events that were newer than all before, each once.
            first_observation_ms: the first of those events that had a net load; -1 without one.
            newest_ms: the last of those events.
            end_offset: where the next batch of the site's partition begins.
        """
        witness = self._witness_ms[rows]
        witness = np.where(witness == NO_OBSERVATION, first_observation_ms, witness)
        passed = (witness != NO_OBSERVATION) & (witness < newest_ms - self._retention_ms)
        self._mark[rows] = np.where(passed, self._checkpoint[rows], self._mark[rows])
        self._checkpoint[rows] = np.where(passed, end_offset, self._checkpoint[rows])
        self._witness_ms[rows] = np.where(passed, NO_OBSERVATION, witness)

    def lowest(self, rows: Iterable[int]) -> int:
        """The lowest mark of some sites, at least one."""
        return int(self._mark[np.fromiter(rows, dtype=np.intp)].min())


@dataclass(slots=True)
class LowestMark:
    """The lowest mark of a partition's sites; looked for only as often as there are sites to look at.

    An outdated one is lower, which costs a longer rebuild and never exactness.
    """

    offset: int | None = None
    _records_since: int = field(default=0)

    def of(self, marks: RebuildMarks, rows: Iterable[int], sites: int, records: int) -> int | None:
        """The lowest mark after another batch.

        Args:
            marks: of all sites.
            rows: the partition's sites.
            sites: how many they are.
            records: how many records the batch had.
        """
        self._records_since += records
        if sites and (self.offset is None or self._records_since >= sites):
            self.offset = marks.lowest(rows)
            self._records_since = 0
        return self.offset
