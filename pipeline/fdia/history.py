"""Small tools on a channel's history and its forecast paths."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from pipeline.fdia.layout import Floats, Integers


def filled(raw_kw: Floats, day_rows: int) -> Floats:
    """Lane × row, oldest first, with missing rows taken from the day before."""
    found = raw_kw.copy()
    for row in range(day_rows, found.shape[1]):
        gone = np.isnan(found[:, row])
        found[gone, row] = found[gone, row - day_rows]
    return found


def interpolation(horizons: Integers) -> tuple[Integers, Integers, Floats]:
    """For each age: the path's places around it and the share of the later one; place 0 is the origin."""
    ages = np.arange(int(horizons[-1]) + 1)
    known = np.concatenate([[0], horizons])
    high = np.searchsorted(known, ages)
    low = np.maximum(high - 1, 0)
    gap = np.maximum(known[high] - known[low], 1)
    return low, high, np.where(high > 0, (ages - known[low]) / gap, 0.0)


@contextmanager
def narrowed(state: object, names: Sequence[str], rows: Integers) -> Iterator[None]:
    """While open, these arrays of ``state`` hold some rows alone; what became of them is put back.

    Args:
        state: their owner.
        names: of the arrays.
        rows: which; each once.
    """
    whole = {name: getattr(state, name) for name in names}
    for name, of_all in whole.items():
        setattr(state, name, of_all[rows])
    yield
    for name, of_all in whole.items():
        of_all[rows] = getattr(state, name)
        setattr(state, name, of_all)
