"""Net load as far as it is believed: where a meter is distrusted, what stands in for it."""

from collections.abc import Iterator
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
    off_kw = dict(_moved_kw(reader, start, end))
    return [_moved(pulse, off_kw.get(pulse.ts_utc, 0.0)) for pulse in reader.telemetry(site, start, end)]


def stand_ins(reader: SeriesReader, start: datetime, end: datetime) -> bool:
    """Whether anything stands in for the native net load in ``start <= ts_utc < end``."""
    return any(off_kw != 0.0 for _, off_kw in _moved_kw(reader, start, end))


def _moved_kw(reader: SeriesReader, start: datetime, end: datetime) -> Iterator[tuple[datetime, float]]:
    """What is believed of the native net load less what was measured, where both are known."""
    judge = judging(reader)
    if judge is None:
        return
    measured = {pulse.ts_utc: pulse.net_load_kw for pulse in reader.telemetry(NATIVE_SITE, start, end)}
    for pulse in judge.believed(NATIVE_SITE, start, end):
        native_kw = measured.get(pulse.ts_utc)
        if native_kw is not None and pulse.net_load_kw is not None:
            yield pulse.ts_utc, pulse.net_load_kw - native_kw


def _moved(pulse: Telemetry, off_kw: float) -> Telemetry:
    if pulse.net_load_kw is None or off_kw == 0.0:
        return pulse
    return replace(pulse, net_load_kw=pulse.net_load_kw + off_kw)
