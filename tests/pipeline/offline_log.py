"""The definition, computed offline: a log's forecasts from feature rows over each site's whole history."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from grid.telemetry import Telemetry
from pipeline.features import SiteEvents, feature_rows
from pipeline.model import ForecastModel
from pipeline.timestamps import to_micros

Floats = NDArray[np.float64]
Band = tuple[float, float, float]
Bands = dict[tuple[str, datetime], Band]


def offline_bands(log: Iterable[Telemetry], model: ForecastModel) -> Bands:
    """P10, P50, P90 by site and issue.

    Args:
        log: in the order of offsets in each partition, without what went to the dead letters.
        model: makes the forecasts.
    """
    by_site: dict[str, dict[datetime, Telemetry]] = {}
    for pulse in log:
        by_site.setdefault(pulse.site, {}).setdefault(pulse.ts_utc, pulse)  # the first counts
    return {key: band for pulses in by_site.values() for key, band in _of_site([*pulses.values()], model)}


def _of_site(
    pulses: Sequence[Telemetry], model: ForecastModel
) -> Iterator[tuple[tuple[str, datetime], Band]]:
    issuing = [pulse for pulse in pulses if pulse.net_load_kw is not None]
    if not issuing:
        return
    levels_kw = np.array([pulse.net_load_kw for pulse in issuing], dtype=np.float64)
    bands = model.predict(_rows(issuing, model), levels_kw).tolist()
    for pulse, (p10, p50, p90) in zip(issuing, bands, strict=True):
        yield (pulse.site, pulse.ts_utc), (p10, p50, p90)


def _rows(issuing: Sequence[Telemetry], model: ForecastModel) -> Floats:
    """Each event's row from all events before it in the log, placed by event time."""
    history = np.empty((5, 0))
    rows = []
    for run in _rising(issuing):
        history = np.concatenate([history, _columns(run)], axis=1)
        history = history[:, np.argsort(history[0])]
        ts_us = history[0].astype(np.int64)  # microseconds below 2^53: exact as floats
        at = np.searchsorted(ts_us, [to_micros(pulse.ts_utc) for pulse in run])
        events = SiteEvents(ts_us, *history[1:])
        metadata = model.metadata
        rows.append(feature_rows(events, at, cadence_s=metadata.cadence_s, site_tz=metadata.site_tz))
    return np.concatenate(rows)


def _rising(pulses: Sequence[Telemetry]) -> Iterator[list[Telemetry]]:
    """Runs whose events may be added at once, as none lies before another; a late one is a run of its own."""
    run = [pulses[0]]
    newest = pulses[0].ts_utc
    for pulse in pulses[1:]:
        late = pulse.ts_utc < newest
        if late or run[-1].ts_utc < newest:
            yield run
            run = []
        run.append(pulse)
        newest = max(newest, pulse.ts_utc)
    yield run


def _columns(run: Sequence[Telemetry]) -> Floats:
    names = ("net_load_kw", "load_kw", "solar_kw", "wind_kw")
    stamps = [[to_micros(pulse.ts_utc) for pulse in run]]
    return np.array(stamps + [[getattr(pulse, name) for pulse in run] for name in names], dtype=np.float64)
