"""Net load as far as it is believed: where a meter is distrusted, what stands in for it."""

from dataclasses import replace
from datetime import datetime

from grid.telemetry import AREA_SITE, NATIVE_SITE, Telemetry
from pipeline.judged_reader import judging
from pipeline.store import SeriesReader


def believed_pulses(reader: SeriesReader, site: str, start: datetime, end: datetime) -> list[Telemetry]:
    """Observations with ``start <= ts_utc < end``; as they were measured where nothing judges them.

    The native meter is the one that is judged; the area's own is off by as much.
    """
    judge = judging(reader)
    if judge is None:
        return reader.telemetry(site, start, end)
    if site != AREA_SITE:
        return judge.believed(site, start, end)
    off_kw = judge.moved_kw(NATIVE_SITE, start, end)
    return [_moved(pulse, off_kw.get(pulse.ts_utc, 0.0)) for pulse in reader.telemetry(site, start, end)]


def stand_ins(reader: SeriesReader, start: datetime, end: datetime) -> bool:
    """Whether anything stands in for the native net load in ``start <= ts_utc < end``."""
    judge = judging(reader)
    return judge is not None and bool(judge.moved_kw(NATIVE_SITE, start, end))


def _moved(pulse: Telemetry, off_kw: float) -> Telemetry:
    if pulse.net_load_kw is None or off_kw == 0.0:
        return pulse
    return replace(pulse, net_load_kw=pulse.net_load_kw + off_kw)
