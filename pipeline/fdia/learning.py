"""Learns a site's detector from past series."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from grid.intervals import SHORTEST_INTERVAL_S, interval_means
from grid.series import BaseSeries
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.fitting import fit_detector
from pipeline.fdia.layout import DAY_S, DAYS
from pipeline.fdia.regular import RegularSeries, measured_channels, to_regular

MOST_DAYS: Final = 400
"""Learnt from: the newest that were measured, however old; a year shows every season."""
LEAST_FULL_DAYS: Final = 35
FEWEST_GAPS_SHARE: Final = 0.5


def learn_detector(
    series: BaseSeries | Sequence[BaseSeries], site_tz: str, channels: Sequence[str] | None = None
) -> FittedDetector:
    """Fit a site's detector on rows that are taken to be clean.

    Args:
        series: one series, or several separate ones such as single days, in the order of time.
        site_tz: IANA time zone of the site's day.
        channels: which to judge; every power channel that is measured by default.

    Raises:
        DetectorError: for fewer than four days, or a cadence that is not served.
    """
    parts = [series] if isinstance(series, BaseSeries) else list(series)
    frame = pd.concat([interval_means(part) for part in parts]).sort_index()
    frame = frame[~frame.index.duplicated()]
    cadence_s = max(SHORTEST_INTERVAL_S, parts[0].cadence_s)
    measured = frame.dropna(how="all", subset=list(channels or measured_channels(frame)))
    newest = measured.iloc[-round(MOST_DAYS * DAY_S / cadence_s) :]
    regular, _ = to_regular(BaseSeries(newest, cadence_s), tuple(channels or measured_channels(newest)))
    short = fit_detector(regular, site_tz, 0)
    return FittedDetector(fit_detector(regular, site_tz, DAYS) if _fits_full(regular) else None, short)


def _fits_full(regular: RegularSeries) -> bool:
    """Whether there are weeks without many gaps."""
    rows = LEAST_FULL_DAYS * DAY_S / regular.cadence_s
    known = np.asarray(~np.isnan(regular.without_long_gaps().values_kw).any(axis=0))
    return len(known) >= rows and float(known.mean()) >= FEWEST_GAPS_SHARE
