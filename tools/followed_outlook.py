"""The outlook of today: what was learnt, with what is typical of the last two weeks in the store."""

from datetime import date, datetime, time, timedelta
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary, proxy
from zoneinfo import ZoneInfo

import numpy as np

from grid.telemetry import NATIVE_SITE
from pipeline.arrays import Floats
from pipeline.outlook import TYPICAL_DAYS, Outlook
from pipeline.store import SeriesReader
from tools.as_of import AsOfReader
from tools.believed import believed_pulses
from tools.intervals import local_day, net_load_means

MOST_PULSES: Final = 20_000
"""Read in one question at most, or one day: at fast pulses the two weeks are taken up over some questions."""
KEPT_DAYS: Final = 60
"""Remembered: for today's questions, and for those about earlier decisions."""


class FollowedOutlook:
    """An outlook whose typical day follows the store; a day is read once, when it is over.

    Weights and errors stay as they were learnt, and so does the typical day while fewer than five of the last
    fourteen days are known.

    Args:
        learnt: what training taught.
        reader: the store; where it judges, days are taken as they are believed.
    """

    def __init__(self, learnt: Outlook, reader: SeriesReader) -> None:
        self.learnt = self._current = learnt
        self._reader: SeriesReader = proxy(reader)  # what is known of a store must not keep it alive
        self._days: dict[date, tuple[Floats, Floats]] = {}
        self._today: date | None = None
        self._lock = Lock()

    def at(self, now: datetime) -> Outlook:
        """The outlook of a moment's local day."""
        today = now.astimezone(ZoneInfo(self.learnt.site_tz)).date()
        wanted = [today - timedelta(days=back) for back in range(1, TYPICAL_DAYS + 1)]
        with self._lock:
            missing = [day for day in wanted if day not in self._days]
            if not missing and today == self._today:
                return self._current
            known = self._days | self._read(missing)
            self._days = {day: known[day] for day in sorted(known)[-KEPT_DAYS:]}
            days = [known[day] for day in sorted(wanted) if day in known]
            self._today, self._current = today, self.learnt.refreshed(days)
            return self._current

    def _read(self, missing: list[date]) -> dict[date, tuple[Floats, Floats]]:
        """The newest of the missing days, as many as may be read at once."""
        found: dict[date, tuple[Floats, Floats]] = {}
        read, interval_s = 0, self.learnt.interval_s
        for day in missing:
            noon = datetime.combine(day, time(12), tzinfo=ZoneInfo(self.learnt.site_tz))
            start, end = local_day(noon, self.learnt.site_tz)
            pulses = believed_pulses(self._reader, NATIVE_SITE, start, end)
            count = round((end - start).total_seconds() / interval_s)
            means = net_load_means(pulses, start, interval_s, count)
            level_kw = np.array([np.nan if mean is None else mean for mean in means], dtype=np.float64)
            found[day] = np.asarray(start.timestamp() + interval_s * np.arange(count)), level_kw
            read += len(pulses)
            if read + len(pulses) > MOST_PULSES:
                break
        return found


_FOLLOWED: Final[WeakKeyDictionary[SeriesReader, FollowedOutlook]] = WeakKeyDictionary()
_LOCK: Final = Lock()


def followed_outlook(learnt: Outlook, reader: SeriesReader) -> FollowedOutlook:
    """That of a store, made at the first question, and again where another one was learnt.

    What was known at an earlier moment is a part of the store's: days that are over do not change.
    """
    reader = reader.whole if isinstance(reader, AsOfReader) else reader
    with _LOCK:
        found = _FOLLOWED.get(reader)
        if found is None or found.learnt is not learnt:
            found = _FOLLOWED[reader] = FollowedOutlook(learnt, reader)
        return found
