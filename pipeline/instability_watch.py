"""Follows the instability of all sites at once; only a site that gives cause is looked at one by one."""

from collections.abc import Callable, Iterable
from datetime import datetime

import numpy as np

from grid.frequency import FREQUENCY_DEADBAND_HZ
from pipeline.arrays import Floats, Indices
from pipeline.forecast import Forecast, probability_beyond
from pipeline.instability import BEGINS_AT_PROBABILITY, NOMINAL_HZ, InstabilityDetector, InstabilityEvent


class InstabilityWatch:
    """Detectors of the sites that have an open event; a site is a row.

    Args:
        ramp_limit_kw: size of a 30-minute change that is too much.
    """

    def __init__(self, ramp_limit_kw: float) -> None:
        self._limit_kw = ramp_limit_kw
        self._open: dict[int, InstabilityDetector] = {}

    def resume(self, row: int, event: InstabilityEvent) -> None:
        """Go on with an event that was open when the site's state was lost."""
        self._open[row] = InstabilityDetector(event.site, self._limit_kw, open_event=event)

    def forget(self, rows: Iterable[int]) -> None:
        """Forget sites that another process follows."""
        for row in rows:
            self._open.pop(row, None)

    def causes_kw(self, change_kw: Floats, bands_kw: Floats, frequency_hz: Floats) -> Floats:
        """What change of each observation begins an event or keeps one going.

        Args:
            change_kw: over the last 30 minutes; NaN is missing.
            bands_kw: the forecasts' columns P10, P50, P90; NaN where there is none.
            frequency_hz: measured; NaN is missing.

        Returns:
            The measured change, else the expected one; 0 where the frequency alone gives cause; NaN
            where nothing does.
        """
        off_hz = np.min([np.abs(frequency_hz - nominal) for nominal in NOMINAL_HZ], axis=0)
        by_frequency = np.where(off_hz > FREQUENCY_DEADBAND_HZ, 0.0, np.nan)
        expected = probability_beyond(bands_kw, self._limit_kw) >= BEGINS_AT_PROBABILITY
        expected &= ~np.isnan(bands_kw[:, 1])
        by_forecast = np.where(expected, bands_kw[:, 1], by_frequency)
        return np.where(np.abs(change_kw) > self._limit_kw, change_kw, by_forecast)

    def follow(
        self,
        rows: Indices,
        causes_kw: Floats,
        *,
        change_kw: Floats,
        frequency_hz: Floats,
        sites: Callable[[int], str],
        moments: Callable[[int], datetime],
        forecasts: Callable[[int], Forecast | None],
    ) -> list[InstabilityEvent]:
        """Take observations, each newer than all before of its site.

        Args:
            rows: their sites.
            causes_kw: as of :meth:`causes_kw`.
            change_kw, frequency_hz: as there.
            sites: name of an observation's site, by its place.
            moments: time of an observation, by its place.
            forecasts: made on an observation, by its place; None without one.

        Returns:
            Each event that began, changed or ended, as it is now.
        """
        cause = ~np.isnan(causes_kw)
        watched = np.array([*{*rows[cause].tolist(), *self._open}], dtype=np.intp)
        places = np.flatnonzero(np.isin(rows, watched))
        if not len(places):
            return []
        events: dict[str, InstabilityEvent] = {}
        for i in self._all_but_the_steady(places, rows, causes_kw, moments).tolist():
            row = int(rows[i])
            detector = self._open.get(row)
            if detector is not None and cause[i]:
                event = detector.worsen(moments(i), float(causes_kw[i]))
            elif detector is not None or cause[i]:
                detector = self._open.setdefault(row, InstabilityDetector(sites(i), self._limit_kw))
                event = detector.observe(
                    moments(i),
                    change_kw=None if np.isnan(change_kw[i]) else float(change_kw[i]),
                    forecast=forecasts(i),
                    frequency_hz=None if np.isnan(frequency_hz[i]) else float(frequency_hz[i]),
                )
            else:
                continue
            if event is not None:
                events[event.event_id] = event
                if event.ended_at is not None:
                    del self._open[row]
        return list(events.values())

    def _all_but_the_steady(
        self, places: Indices, rows: Indices, causes_kw: Floats, moments: Callable[[int], datetime]
    ) -> Indices:
        """Keep open the events of sites that only give cause, none larger; the places of the others."""
        found, site = np.unique(rows[places], return_inverse=True)
        detectors = [self._open.get(row) for row in found.tolist()]
        worst_kw = np.array([-1.0 if detector is None else detector.worst_kw for detector in detectors])
        steady = np.abs(causes_kw[places]) <= worst_kw[site]
        moved = np.bincount(site, weights=~steady) > 0
        last = np.empty(len(found), dtype=np.intp)
        last[site] = places  # the last one of a site counts
        for i in np.flatnonzero(~moved).tolist():
            if (detector := detectors[i]) is not None:
                detector.keep_open(moments(int(last[i])))
        return places[moved[site]]
