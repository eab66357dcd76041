"""The balance between an area's meter and the meters of its sites.

Losses and what has no meter stay between the two; so it is judged by how far it moves from where
it was, on the rows that all of them have.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np

from pipeline.store import SeriesReader

ALARM_Z: Final = 8.0
FEWEST_ROWS: Final = 20
LEAST_NOISE: Final = 0.0005
"""Of the area's level: rounding in the messages."""
NEWEST_ROWS: Final = 4
"""A pulse attack is true three times out of four."""


def family_imbalance(reader: SeriesReader, area: str, sites: Sequence[str]) -> datetime | None:
    """Since when the difference between an area and its sites is out of all proportion.

    Args:
        reader: the store.
        area: whose meter measures the sites' power, too.
        sites: of the area, all that have a meter.

    Returns:
        The stamp of the first odd row; None where nothing is odd, or too little is known.
    """
    meters = [
        {pulse.ts_utc: pulse.net_load_kw for pulse in reader.latest(name) if pulse.net_load_kw is not None}
        for name in (area, *sites)
    ]
    common = sorted(set.intersection(*(set(meter) for meter in meters)))
    if not sites or len(common) < FEWEST_ROWS:
        return None
    whole, *parts = (np.array([meter[stamp] for stamp in common]) for meter in meters)
    difference = whole - np.sum(parts, axis=0)
    middle = np.median(difference)
    noise = 1.4826 * float(np.median(np.abs(difference - middle)))
    noise += LEAST_NOISE * float(np.median(np.abs(whole))) + 1e-9
    odd = np.flatnonzero(np.abs(difference - middle) > ALARM_Z * noise)
    if not len(odd) or len(common) - 1 - odd[-1] >= NEWEST_ROWS:
        return None
    breaks = np.flatnonzero(np.diff(odd) > NEWEST_ROWS)
    return common[int(odd[breaks[-1] + 1 if len(breaks) else 0])]
