"""Names for the arrays that this room passes around."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Indices = NDArray[np.intp]
Mask = NDArray[np.bool_]
Micros = NDArray[np.int64]
"""Microseconds since 1970 UTC."""


def previous(values: Integers, leads: Mask, first: Integers) -> Integers:
    """For each event the value of the one before it of its site.

    Args:
        values: sorted by site.
        leads: which events are the first of their site.
        first: what those take instead.
    """
    return first if leads.all() else np.where(leads, first, np.roll(values, 1))


def ordinals(rows: Indices) -> Integers:
    """How many come before each one of the same row.

    Args:
        rows: sorted.
    """
    count = np.arange(len(rows))
    if len(rows) < 2 or (rows[1:] != rows[:-1]).all():
        return np.zeros(len(rows), dtype=np.int64)
    leads = np.append(True, rows[1:] != rows[:-1])
    return np.asarray(count - np.maximum.accumulate(np.where(leads, count, 0)))


Scalar = TypeVar("Scalar", bound=np.generic)


def resized(array: NDArray[Scalar], rows: int) -> NDArray[Scalar]:
    """The array with so many rows; what is there stays, new ones are zero."""
    larger = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger
