"""What a store holds of a site's past, as a judge of false data takes it up again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Integers
from pipeline.fdia.meters import LEAST_TRUST
from pipeline.fdia.stream_scorer import DAY_MS, REPLAY_DAYS, StreamScorer
from pipeline.messages import VALUE_NAMES
from pipeline.pulse_batch import NET_LOAD
from pipeline.store import SeriesStore
from pipeline.timestamps import to_micros
from pipeline.verdict import Verdict

HISTORY: Final = timedelta(days=10)
"""Read before the moment at which a site begins: a week to compare with, and the days judged again."""


@dataclass(frozen=True, slots=True)
class Past:
    """Pulses of a site that were newer than all before them, in the order of time.

    Attributes:
        ts_ms: milliseconds since 1970.
        values: one row for each of :data:`pipeline.messages.VALUE_NAMES`, one column a pulse.
        believed: the same as far as it was believed: without a channel that was distrusted, and with
            the substitute of net load.
    """

    ts_ms: Integers
    values: Floats
    believed: Floats

    def __add__(self, other: "Past") -> "Past":
        """Both; where both have a pulse of a time, they are the same."""
        ts_ms, places = np.unique(np.concatenate([self.ts_ms, other.ts_ms]), return_index=True)
        values = np.concatenate([self.values, other.values], axis=1)[:, places]
        return Past(ts_ms, values, np.concatenate([self.believed, other.believed], axis=1)[:, places])


def past_of(ts_ms: Integers, values: Floats, trust: Floats, channel: Integers, use_kw: Floats) -> Past:
    """Pulses and what was found of them.

    Args:
        ts_ms, values: as in :class:`Past`.
        trust: NaN where a pulse was not judged.
        channel: place of the suspected one in :data:`pipeline.messages.VALUE_NAMES`; -1 none.
        use_kw: substitute of net load; NaN without.
    """
    believed, low = values.copy(), trust < LEAST_TRUST
    off = np.flatnonzero(low & (channel >= 0))
    believed[channel[off], off] = np.nan
    replaced = low & ~np.isnan(use_kw)
    believed[NET_LOAD, replaced] = use_kw[replaced]
    return Past(ts_ms, values, believed)


def stored_past(store: SeriesStore, site: str, start: datetime, end: datetime) -> Past:
    """What the store holds of a site with ``start <= t < end``.

    Args:
        store: has the site's telemetry and verdicts.
        site: the meter.
        start: aware.
        end: time of the first pulse that is not wanted.
    """
    verdicts = {verdict.ts_utc: verdict for verdict in store.verdicts(site, start, end)}
    pulses = store.telemetry(site, start, end)
    found = [verdicts.get(pulse.ts_utc, Verdict(site, pulse.ts_utc, score=0.0)) for pulse in pulses]
    kept = [
        (pulse, verdict) for pulse, verdict in zip(pulses, found, strict=True) if verdict.score is not None
    ]
    values = np.array([[getattr(pulse, name) for pulse, _ in kept] for name in VALUE_NAMES], dtype=np.float64)
    return past_of(
        np.array([to_micros(pulse.ts_utc) // 1000 for pulse, _ in kept], dtype=np.int64),
        values,
        np.array([verdict.trust for _, verdict in kept], dtype=np.float64),
        np.array([_CHANNELS.get(verdict.channel, -1) for _, verdict in kept], dtype=np.int64),
        np.array([verdict.substitute_kw for _, verdict in kept], dtype=np.float64),
    )


def take_up(scorer: StreamScorer, row: int, past: Past, base: datetime) -> None:
    """Set a row to what its past makes of it: judged on from ``base``, and by what lies before.

    The last days before ``base`` are judged again; before them stands what was believed.
    """
    base_ms = to_micros(base) // 1000
    again, begun = np.searchsorted(past.ts_ms, [base_ms - REPLAY_DAYS * DAY_MS, base_ms]).tolist()
    values = np.concatenate([past.believed[:, :again], past.values[:, again:]], axis=1)
    scorer.restore(row, past.ts_ms[:begun], values[:, :begun])
    after = past.ts_ms[begun:]
    scorer.score(np.full(len(after), row, dtype=np.int64), after, values[:, begun:])


_CHANNELS: Final[dict[str | None, int]] = {name: at for at, name in enumerate(VALUE_NAMES)}
