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
from datetime import datetime, timedelta

from pipeline.site_state import Placed


@dataclass(slots=True)
class RebuildMark:
    """The mark of one site, moved on batch by batch.

    Attributes:
        offset: from here on the log rebuilds the site's state.
        next_offset: the checkpoint that will be the next mark.
        witness: the first observation after the checkpoint.
    """

    offset: int
    next_offset: int
    witness: datetime | None = None

    @classmethod
    def at(cls, offset: int) -> "RebuildMark":
        """The mark of a site whose first record has this offset."""
        return cls(offset, offset)

    def advance(self, placed: Iterable[Placed], end_offset: int, retention: timedelta) -> None:
        """Take note of a batch.

        Args:
            placed: the site's accepted events, in the order of their offsets.
            end_offset: where the partition's next batch begins.
            retention: how far back from its newest event the site's state reaches.
        """
        newest = None
        for event in placed:
            if event.in_order:
                newest = event.pulse.ts_utc
                if self.witness is None and event.row is not None:
                    self.witness = newest
        if newest is not None and self.witness is not None and self.witness < newest - retention:
            self.offset = self.next_offset
            self.next_offset, self.witness = end_offset, None


@dataclass(slots=True)
class LowestMark:
    """The lowest mark of a partition's sites; looked for only as often as there are sites to look at.

    An outdated one is lower, which costs a longer rebuild and never exactness.
    """

    offset: int | None = None
    _records_since: int = field(default=0)

    def of(self, marks: Iterable[RebuildMark], sites: int, records: int) -> int | None:
        """The lowest mark after another batch.

        Args:
            marks: of all sites.
            sites: how many there are.
            records: how many records the batch had.
        """
        self._records_since += records
        if self.offset is None or self._records_since >= sites:
            self.offset = min((mark.offset for mark in marks), default=None)
            self._records_since = 0
        return self.offset
