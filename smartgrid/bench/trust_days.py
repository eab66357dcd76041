"""How the live trust does on single recorded days: all that is known are earlier days and this one so far."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from grid.csv_series import read_csv_series
from grid.series import POWER_CHANNELS, BaseSeries
from grid.telemetry import NATIVE_SITE, Telemetry
from pipeline.fdia.attacks import AttackEvent, AttackKind, Signal, inject, parse_kinds
from pipeline.fdia.fitted import FittedDetector
from pipeline.fdia.layout import Booleans, Floats
from pipeline.fdia.learning import learn_detector
from pipeline.judged_reader import JudgedReader
from pipeline.sqlite_store import SqliteStore
from pipeline.trust import assess

CAISO: Final = "caiso_sample_days_5min_2019.csv.gz"
CAISO_TZ: Final = "America/Los_Angeles"
SINCE: Final = date(2019, 6, 1)
KINDS: Final = "scale:0.1,bias:0.1,ramp:0.1,pulse:0.1,noise:0.03"
EVENT_ROWS: Final = 24
AFTER_ROWS: Final = 24
LEAST_TRUST: Final = 0.5
METERS: Final = {"all meters": POWER_CHANNELS, "net load alone": ("net_load_kw",)}


@dataclass(frozen=True)
class TrustRow:
    """One kind on one set of meters, over days.

    Attributes:
        meters: what the site measures.
        kind: of attack; ``clean`` is none.
        distrusted: share of the event's rows (of all rows of clean days) on which autonomy is denied.
        at_once: share of events that are distrusted from their first row on.
        after_rows: rows in the two hours after the end that still are.
        used_error, false_error: mean error of the net load in the event, in % of the day's mean: of
            the value to use (substitutes where distrusted), and of what the meter said.
    """

    meters: str
    kind: str
    distrusted: float
    at_once: float = float("nan")
    after_rows: float = float("nan")
    used_error: float = float("nan")
    false_error: float = float("nan")


def bench_trust(
    data: Path, workdir: Path, since: date = SINCE, until: date | None = None
) -> Iterator[TrustRow]:
    """Attack every day from ``since`` on, once a kind, and follow it pulse by pulse.

    Args:
        data: folder with the CAISO days.
        workdir: for the stores.
        since, until: local dates; each day is learnt from all days before it.
    """
    frame = read_csv_series(data / CAISO).series.frame
    dates = pd.Series(pd.DatetimeIndex(frame.index).tz_convert(CAISO_TZ).date, index=frame.index)
    days = [day for day in sorted(set(dates)) if day >= since and (until is None or day < until)]
    for meters, channels in METERS.items():
        found: dict[str, list[TrustRow]] = {}
        for day in days:
            detector = learn_detector(BaseSeries(frame.loc[dates < day, list(channels)], 300.0), CAISO_TZ)
            for kind, row in _day(detector, frame.loc[dates == day, list(channels)], day, meters, workdir):
                found.setdefault(kind, []).append(row)
        for kind, rows in found.items():
            yield _mean(meters, kind, rows)


def _day(
    detector: FittedDetector, frame: pd.DataFrame, day: date, meters: str, workdir: Path
) -> Iterator[tuple[str, TrustRow]]:
    truth = frame["net_load_kw"].to_numpy(dtype=np.float64)
    low, _ = _follow(detector, frame, workdir)
    yield "clean", TrustRow(meters, "clean", float(low.mean()))
    for kind in parse_kinds(KINDS):
        event, false = _attack(truth, kind, day)
        low, used = _follow(detector, frame.assign(net_load_kw=false), workdir)
        rows, after = slice(event.start, event.end), slice(event.end, event.end + AFTER_ROWS)
        percent = 100.0 / float(np.abs(truth).mean())
        errors = [percent * float(np.abs(value - truth)[rows].mean()) for value in (used, false)]
        shares = float(low[rows].mean()), float(low[event.start]), float(low[after].sum())
        yield str(kind), TrustRow(meters, str(kind), *shares, *errors)


def _attack(truth_kw: Floats, kind: AttackKind, day: date) -> tuple[AttackEvent, Floats]:
    """Two hours, from a full hour that the day and the kind choose."""
    rng = np.random.default_rng([day.toordinal(), *str(kind).encode()])
    start = int(rng.integers(0, len(truth_kw) // 12 - 3)) * 12
    event = AttackEvent(start, start + EVENT_ROWS, kind, 1 if rng.random() < 0.5 else -1)
    signal = Signal(truth_kw, len(truth_kw), float(np.abs(truth_kw).mean()), 0.0)
    return event, inject(signal, [event], rng)


def _follow(detector: FittedDetector, frame: pd.DataFrame, workdir: Path) -> tuple[Booleans, Floats]:
    """Where autonomy is denied, and the net load that is to be used, row by row."""
    low, used = np.zeros(len(frame), dtype=np.bool_), frame["net_load_kw"].to_numpy(dtype=np.float64).copy()
    path = workdir / "trust.db"
    path.unlink(missing_ok=True)
    stamps: Sequence[datetime] = list(pd.DatetimeIndex(frame.index).to_pydatetime())
    with SqliteStore(path) as store:
        reader = JudgedReader(store, {NATIVE_SITE: detector})
        for row, (stamp, values) in enumerate(zip(stamps, frame.to_dict("records"), strict=True)):
            store.write([Telemetry(NATIVE_SITE, stamp, **{str(name): kw for name, kw in values.items()})])
            report = assess(reader, NATIVE_SITE, stamp + timedelta(minutes=5))
            low[row] = report.trust < LEAST_TRUST
            if low[row] and report.substitute_kw is not None:
                used[row] = report.substitute_kw
    return low, used


def _mean(meters: str, kind: str, rows: Sequence[TrustRow]) -> TrustRow:
    names = ("distrusted", "at_once", "after_rows", "used_error", "false_error")
    return TrustRow(meters, kind, *(float(np.mean([getattr(row, name) for row in rows])) for name in names))
