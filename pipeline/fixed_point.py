"""Net load in fixed point: sums over a window are exact, so order, eviction and batching leave no residue.

A value is a whole number of 1/1024 kW. A window is known by four integers: how many values, their
sum, the sum of their squares modulo 2^64, and the sum of the squares' high parts (in units of
2^40). All are kept by adding and taking away, which integers do exactly and in any order; the high
parts only tell which multiple of 2^64 belongs to the squares' sum.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Integers

QUANTA_PER_KW: Final = 1024.0
LARGEST_KW: Final = 5e10
"""Beyond any meter; a value's quanta then fit 47 bits, and a window of 2^16 values its sums."""
_HIGH_UNIT: Final = 2.0**40
_WRAP: Final = 2.0**64


@dataclass(frozen=True, slots=True)
class WindowSums:
    """The sums of some windows, one entry a window.

    Attributes:
        total: sum of the quanta.
        squares: sum of their squares modulo 2^64, as a signed integer.
        high: sum of the squares' high parts, in units of 2^40, each rounded.
    """

    total: Integers
    squares: Integers
    high: Integers

    @classmethod
    def of_values(cls, quanta: Integers) -> "WindowSums":
        """Each value as a window of its own."""
        squares = quanta * quanta  # wraps, as it shall
        high = np.rint(quanta.astype(np.float64) ** 2 / _HIGH_UNIT).astype(np.int64)
        return cls(quanta, squares, high)


def to_quanta(kw: Floats) -> Integers:
    """Whole numbers of 1/1024 kW.

    Args:
        kw: finite, at most :data:`LARGEST_KW` in size.
    """
    return np.rint(kw * QUANTA_PER_KW).astype(np.int64)


def to_kw(quanta: Integers) -> Floats:
    """Quanta in kW."""
    return np.asarray(quanta / QUANTA_PER_KW)


def mean_and_deviation(count: Integers, sums: WindowSums) -> tuple[Floats, Floats]:
    """Mean and sample standard deviation (n − 1) of windows in kW; NaN deviation for fewer than two.

    The sum of squares about the whole-numbered mean A, Σ(q − A)² = Σq² − 2AΣq + nA², is exact
    modulo 2^64; its multiple of 2^64 comes from the high parts, whose rounding is far below it.

    Args:
        count: how many values, at least 1 each.
        sums: of the same windows.
    """
    about = sums.total // count
    low = (sums.squares - 2 * about * sums.total + count * about * about).view(np.uint64)
    low_part = low.astype(np.float64)
    center = about.astype(np.float64)
    rough = sums.high * _HIGH_UNIT - 2.0 * center * sums.total + count * center * center
    about_squares = low_part + np.rint((rough - low_part) / _WRAP) * _WRAP
    remainder = (sums.total - about * count).astype(np.float64)
    squares = about_squares - remainder * remainder / count
    deviation = np.sqrt(np.divide(squares, count - 1, out=np.full(len(count), np.nan), where=count > 1))
    return sums.total / count / QUANTA_PER_KW, deviation / QUANTA_PER_KW
