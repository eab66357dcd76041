"""The small grid of :mod:`smartgrid.testing`, and what only these tests need beside it."""

from datetime import datetime

from smartgrid.testing.days import CADENCE_S, priced_series
from smartgrid.testing.small_grid import (
    ANA,
    INTERVAL,
    OPERATOR,
    READER,
    TRAINING_ROWS,
    SmallGrid,
    learnt,
    small_area,
)

__all__ = [
    "ANA",
    "CADENCE_S",
    "INTERVAL",
    "OPERATOR",
    "READER",
    "TRAINING_ROWS",
    "SmallGrid",
    "learnt",
    "priced_series",
    "small_area",
    "utc",
]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text)
