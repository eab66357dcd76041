"""What became of the forecasts so far, followed once a store: a question reads only those that are new."""

import logging
from datetime import datetime
from threading import Lock
from typing import Final
from weakref import WeakKeyDictionary, proxy

from pipeline.forecasting.drift import DriftReport
from pipeline.forecasting.drift_report import StoredDrift
from pipeline.store import SeriesReader

_log = logging.getLogger(__name__)


class FollowedDrift:
    """The drift monitors of a store's sites; a model's decay and its end are logged once.

    Args:
        reader: the store.
    """

    def __init__(self, reader: SeriesReader) -> None:
        self._reader: SeriesReader = proxy(reader)  # the monitors of a store must not keep it alive
        self._sites: dict[tuple[str, float], StoredDrift] = {}
        self._degraded: set[str] = set()
        self._lock = Lock()

    def report(self, site: str, cadence_s: float, now: datetime) -> DriftReport:
        """How a site's forecasts did until a moment.

        Args:
            site: the meter.
            cadence_s: nominal seconds between its pulses.
            now: aware.
        """
        with self._lock:
            if (site, cadence_s) not in self._sites:
                self._sites[site, cadence_s] = StoredDrift(site, cadence_s=cadence_s)
            found = self._sites[site, cadence_s].report(self._reader, now)
            self._tell(site, found)
            return found

    def _tell(self, site: str, found: DriftReport) -> None:
        if found.degraded == (site in self._degraded):
            return
        if found.degraded:
            self._degraded.add(site)
            why = "; ".join(found.reasons)
            _log.warning("site %s: the forecast is degraded (%s); smartgrid train --if-degraded", site, why)
        else:
            self._degraded.remove(site)
            _log.warning("site %s: the forecast holds again", site)


_FOLLOWED: Final[WeakKeyDictionary[SeriesReader, FollowedDrift]] = WeakKeyDictionary()
_LOCK: Final = Lock()


def followed_drift(reader: SeriesReader) -> FollowedDrift:
    """The monitors of a store, made at the first question; in whichever thread it is asked."""
    with _LOCK:
        if reader not in _FOLLOWED:
            _FOLLOWED[reader] = FollowedDrift(reader)
        return _FOLLOWED[reader]
