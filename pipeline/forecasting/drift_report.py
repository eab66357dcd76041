"""The drift monitor's verdict from the store: for tools and commands that stand beside the stream.

Forecasts carry the net load at their issue, so they alone tell what became of the earlier ones.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from pipeline.forecast import Forecast
from pipeline.forecasting.drift import SPACING_US, DriftMonitor, DriftReport
from pipeline.forecasting.memory import DAY_US
from pipeline.store import SeriesReader
from pipeline.timestamps import EPOCH, MICROS_PER_SECOND, MICROSECOND, to_micros

LOOKBACK: Final = timedelta(days=8)
"""What is older has less than a fourteenth of its weight left."""
READ_AT_ONCE: Final = timedelta(hours=6)
_DAYS_PAST: Final = 7


class StoredDrift:
    """Follows a site's forecasts in a store; reads only what is new since the last time.

    Another model is judged anew, by its own forecasts.

    Args:
        site: the meter.
        cadence_s: nominal seconds between its pulses.
        horizon_s: how far ahead its forecasts look.
    """

    def __init__(self, site: str, *, cadence_s: float, horizon_s: float = 1800.0) -> None:
        self._site = site
        self._horizon = timedelta(seconds=horizon_s)
        self._horizon_us = round(horizon_s * MICROS_PER_SECOND)
        self._half_cadence_us = round(cadence_s * MICROS_PER_SECOND) // 2
        self._monitor = self._fresh()
        self._read_until: datetime | None = None
        self._asked_at = EPOCH
        self._net_kw: dict[int, float] = {}
        self._targets_us: deque[int] = deque()
        self._model = ""

    def report(self, reader: SeriesReader, now: datetime) -> DriftReport:
        """The verdict from what is stored before a moment.

        Args:
            reader: the store.
            now: aware; one before the last call's begins anew.
        """
        start = self._read_until
        if start is None or now < self._asked_at or now - start > LOOKBACK:
            self._monitor, self._net_kw, start = self._fresh(), {}, now - LOOKBACK
            self._targets_us.clear()
        while start < now:
            end = min(start + READ_AT_ONCE, now)
            for forecast in reader.forecasts(self._site, start, end):
                self._take(forecast)
                self._read_until = forecast.issued_at + MICROSECOND
            start = end
        self._asked_at = now
        return self._monitor.report(0)

    def _counts(self, issued_us: int, slot: int) -> bool:
        """Whether it begins a slot, or a target has come: all others change nothing, and there are many."""
        come = False
        while self._targets_us and self._targets_us[0] <= issued_us + self._half_cadence_us:
            self._targets_us.popleft()
            come = True
        if slot not in self._net_kw:
            self._targets_us.append(issued_us + self._horizon_us)
            return True
        return come

    def _fresh(self) -> DriftMonitor:
        return DriftMonitor(horizon_us=self._horizon_us, tolerance_us=self._half_cadence_us, sites=1)

    def _take(self, forecast: Forecast) -> None:
        issued_us = to_micros(forecast.issued_at)
        slot = issued_us // SPACING_US
        if forecast.model != self._model:
            self._model = forecast.model
            self._monitor.forget()
        if forecast.target_at - forecast.issued_at != self._horizon or not self._counts(issued_us, slot):
            return
        band_kw = np.array([[forecast.p10_kw, forecast.p50_kw, forecast.p90_kw]])
        reference_kw = self._reference_kw(slot)
        self._net_kw.setdefault(slot, forecast.net_load_kw)
        self._net_kw.pop(slot - 2 * _DAYS_PAST * DAY_US // SPACING_US, None)
        self._monitor.step(
            np.zeros(1, dtype=np.intp),
            np.array([issued_us]),
            np.array([forecast.net_load_kw]),
            band_kw,
            np.array([reference_kw]),
        )

    def _reference_kw(self, slot: int) -> float:
        """The mean change at the same time of past days; NaN where it is not known."""
        ahead, odd = divmod(self._horizon_us, SPACING_US)
        changes = []
        for day in range(1, _DAYS_PAST + 1):
            then = slot - day * DAY_US // SPACING_US
            if not odd and then in self._net_kw and then + ahead in self._net_kw:
                changes.append(self._net_kw[then + ahead] - self._net_kw[then])
        return sum(changes) / len(changes) if changes else float("nan")
