"""Which stamps of a site were accepted lately, and with what values: tells duplicates from conflicts."""

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Floats, Indices, Integers, Mask, resized
from pipeline.window_table import WIDEST, Reach

Fingerprints = NDArray[np.uint32]

NOMINAL_SLOTS: Final = 16
_STAMP_MASK: Final = 2**32 - 1
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)


class Seen(IntEnum):
    """Whether a stamp was accepted before."""

    NO = 0
    SAME = 1
    OTHER_VALUES = 2


class RecentStamps:
    """A ring of stamps and fingerprints a site; it reaches back as far as an event may be late.

    Args:
        reach: how far back it must reach.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._nominal = max(NOMINAL_SLOTS, reach.lateness_ms // reach.cadence_ms + 4)
        self._slots = self._nominal
        self._stamp = np.empty((0, self._slots), dtype=np.uint32)
        self._print = np.empty((0, self._slots), dtype=np.uint32)
        self._count = np.empty(0, dtype=np.int32)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self._stamp.nbytes + self._print.nbytes + self._count.nbytes

    def resize(self, sites: int) -> None:
        """Make room for so many rows; what is there stays."""
        self._stamp, self._print = resized(self._stamp, sites), resized(self._print, sites)
        self._count = resized(self._count, sites)

    def clear(self, row: int) -> None:
        """Forget a site."""
        self._count[row] = 0

    def widen(self) -> bool:
        """Double every ring; False where they are as wide as they may be."""
        if self._slots >= WIDEST * self._nominal:
            return False
        oldest = np.maximum(self._count - self._slots, 0)
        order = (oldest[:, None] + np.arange(self._slots)) % self._slots
        for name in ("_stamp", "_print"):
            held = np.take_along_axis(getattr(self, name), order, axis=1)
            setattr(self, name, np.concatenate([held, np.zeros_like(held)], axis=1))
        self._count = np.minimum(self._count, self._slots)
        self._slots *= 2
        return True

    def crowded(self, rows: Indices, ts_ms: Integers, ordinal: Integers) -> Mask:
        """Which new events would take the place of one that may still come again.

        Args:
            rows: their sites.
            ts_ms: their times, ascending within a site.
            ordinal: how many come before each one of the same site.
        """
        position = self._count[rows] + ordinal - self._slots
        age = (ts_ms - self._stamp[rows, position % self._slots]) & _STAMP_MASK
        return np.asarray((position >= 0) & (age <= self._reach.lateness_ms))

    def seen(self, rows: Indices, ts_ms: Integers, prints: Fingerprints) -> NDArray[np.int8]:
        """For each event one of :class:`Seen`."""
        there = self._stamp[rows] == (ts_ms & _STAMP_MASK).astype(np.uint32)[:, None]
        there &= np.arange(self._slots) < self._count[rows][:, None]
        same = (self._print[rows] == prints[:, None]) & there
        found = np.where(same.any(axis=1), Seen.SAME, Seen.OTHER_VALUES)
        return np.asarray(np.where(there.any(axis=1), found, Seen.NO)).astype(np.int8)

    def add(
        self, rows: Indices, ts_ms: Integers, prints: Fingerprints, ordinal: Integers, after_silence: Mask
    ) -> None:
        """Take events in, sorted by site; at most as many of one site as a ring holds.

        Args:
            rows: their sites.
            ts_ms: their times.
            prints: of their values.
            ordinal: how many come before each one of the same site.
            after_silence: which ones are so much newer than all before that those cannot come again.
        """
        stamps = (ts_ms & _STAMP_MASK).astype(np.uint32)
        # Old stamps are overwritten, by one too late to come, before the modulus takes them for new ones.
        past = (ts_ms[after_silence] - self._reach.lateness_ms - 1) & _STAMP_MASK
        self._stamp[rows[after_silence]] = past.astype(np.uint32)[:, None]
        position = self._count[rows] + ordinal
        self._stamp[rows, position % self._slots] = stamps
        self._print[rows, position % self._slots] = prints
        self._count[rows] = position + 1  # the last one of a site counts


def fingerprints(values: Floats) -> Fingerprints:
    """A hash of each column's values; equal values have equal ones, missing ones too.

    Args:
        values: one column an event.
    """
    known = np.where(np.isnan(values), np.nan, values + 0.0)  # one NaN, one zero
    mixed = np.full(values.shape[1], _MIX)
    for bits in known.view(np.uint64):
        mixed = (mixed ^ bits) * _MIX
        mixed ^= mixed >> np.uint64(29)
    return (mixed >> np.uint64(32)).astype(np.uint32)
