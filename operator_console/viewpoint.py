"""The moment from which everything on the page is seen: its local time, and what is too old."""

import math
from dataclasses import dataclass
from datetime import datetime, tzinfo


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """The plant's time, and how old a value may be to count as live.

    Attributes:
        now: the plant's time, aware.
        zone: of the times shown.
        max_age_s: older values are stale.
    """

    now: datetime
    zone: tzinfo
    max_age_s: float

    def local(self, moment: datetime | None) -> str | None:
        """A moment as ISO text in the plant's zone, with its offset; None stays None."""
        return None if moment is None else moment.astimezone(self.zone).isoformat(timespec="seconds")

    def freshness(self, moment: datetime | None) -> dict[str, object]:
        """``age_s`` and ``stale`` of what was measured or issued at ``moment``; nothing at all is stale."""
        if moment is None:
            return {"age_s": None, "stale": True}
        age_s = max(0.0, (self.now - moment).total_seconds())
        return {"age_s": age_s, "stale": age_s > self.max_age_s}


def finite(value: float | None) -> float | None:
    """The value, or None where it is no number that JSON can carry."""
    return value if value is not None and math.isfinite(value) else None
