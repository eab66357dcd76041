"""The moment from which everything on a page is seen, and how old a value may be to count as live."""

import math
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Age:
    """How old something is.

    Attributes:
        at: when it was measured, issued or reported; None where it never was.
        age_s: None then too.
        stale: too old to be shown as live; what never was is stale.
    """

    at: datetime | None
    age_s: float | None
    stale: bool


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """The plant's time, and the oldest age in s that is live."""

    now: datetime
    max_age_s: float

    def age(self, at: datetime | None) -> Age:
        """The age of what was measured or issued at a moment; never below zero."""
        if at is None:
            return Age(None, None, stale=True)
        age_s = max(0.0, (self.now - at).total_seconds())
        return Age(at, age_s, age_s > self.max_age_s)


def finite(value: float | None) -> float | None:
    """The value, or None where it is no number that can be shown."""
    return value if value is not None and math.isfinite(value) else None
