"""Observations of one site as arrays, and how values are found in them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from pipeline.arrays import Floats, Micros
from pipeline.features import nearest, values_at
from pipeline.fixed_point import to_kw, to_quanta

if TYPE_CHECKING:  # whoever has frames has imported pandas
    import pandas as pd

    from grid.series import BaseSeries

COMPONENTS = ("load", "solar", "wind")


@dataclass(frozen=True, slots=True)
class Observations:
    """Observations of one site that have a net load.

    Invariants:
        ``ts_us`` is sorted and unique; every array has its length; ``net_load_kw`` has no NaN.

    Attributes:
        ts_us: stamps.
        net_load_kw: net load.
        components_kw: ``load``, ``solar``, ``wind`` where the site has that channel; may hold NaN.
    """

    ts_us: Micros
    net_load_kw: Floats
    components_kw: dict[str, Floats]

    def __len__(self) -> int:
        return len(self.ts_us)

    def part(self, keep: slice) -> "Observations":
        """Some consecutive ones."""
        return Observations(
            self.ts_us[keep],
            self.net_load_kw[keep],
            {name: kw[keep] for name, kw in self.components_kw.items()},
        )


def observations_of(series: "BaseSeries") -> Observations:
    """The rows of a series that have a net load, in whole 1/1024 kW as the stream has it.

    A load that is the net load itself (there is neither solar nor wind) is no component.
    """
    frame = series.frame[series.frame["net_load_kw"].notna()]
    index = cast("pd.DatetimeIndex", frame.index).tz_convert("UTC").as_unit("us")
    present = [name for name in COMPONENTS if f"{name}_kw" in frame]
    if present == ["load"]:
        present = []
    return Observations(
        index.asi8,
        to_kw(to_quanta(frame["net_load_kw"].to_numpy(dtype=np.float64))),
        {name: frame[f"{name}_kw"].to_numpy(dtype=np.float64) for name in present},
    )


def changes_ahead(seen: Observations, from_us: Micros, *, horizon_us: int, cadence_us: int) -> Floats:
    """NL(t + horizon) − NL(t) in kW; NaN where an end is missing."""
    ends = [
        values_at(seen.net_load_kw, nearest(seen.ts_us, at, cadence_us // 2))
        for at in (from_us, from_us + horizon_us)
    ]
    return np.asarray(ends[1] - ends[0])
