"""What the stream found of a pulse, as the store keeps it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one pulse; the first of a site and stamp counts.

    Attributes:
        site: the meter.
        ts_utc: of the pulse.
        alarm: new evidence in the pulse's slot, at one false alarm a day.
        score: 0 is usual, 1 the threshold of one false alarm a day; None for a pulse that came after
            newer ones: it was not judged, and no other was judged by it.
        trust: 0 to 1; below 0.5 beyond one false alarm a week. None where there is no score.
        channel, kind, since: what is suspected, how, and from which stamp on; None where nothing is.
        substitute_kw: net load to use instead; None where it needs none.
    """

    site: str
    ts_utc: datetime
    alarm: bool = False
    score: float | None = None
    trust: float | None = None
    channel: str | None = None
    kind: str | None = None
    since: datetime | None = None
    substitute_kw: float | None = None
