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

Scalar = TypeVar("Scalar", bound=np.generic)


def resized(array: NDArray[Scalar], rows: int) -> NDArray[Scalar]:
    """The array with so many rows; what is there stays, new ones are zero."""
    larger = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger
