"""A forecast of the 30-minute net-load change as a band, and what can be read from it."""

from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Forecast:
    """The net-load change that one event of a site lets us expect.

    Attributes:
        site: the meter.
        issued_at: stamp of the newest observation used. Whoever acts on a forecast checks its age.
        target_at: when the change is complete.
        net_load_kw: net load at ``issued_at``; a level is a change plus this.
        p10_kw, p50_kw, p90_kw: quantiles of NL(target_at) − NL(issued_at), in kW, in order.
        model: hash of the model that made it.
    """

    site: str
    issued_at: datetime
    target_at: datetime
    net_load_kw: float
    p10_kw: float
    p50_kw: float
    p90_kw: float
    model: str

    def widened(self, factor: float) -> "Forecast":
        """The same with a band so many times as wide, the median where it is.

        Args:
            factor: 1 or more.
        """
        below_kw, above_kw = self.p50_kw - self.p10_kw, self.p90_kw - self.p50_kw
        if factor == 1.0:
            return self
        p10_kw, p90_kw = self.p50_kw - factor * below_kw, self.p50_kw + factor * above_kw
        return replace(self, p10_kw=p10_kw, p90_kw=p90_kw)

    def probability_beyond(self, limit_kw: float) -> float:
        """P(|change| > limit) of the band.

        Args:
            limit_kw: a size of change in kW, >= 0.
        """
        return 1.0 - self._probability_below(limit_kw) + self._probability_below(-limit_kw)

    def _probability_below(self, change_kw: float) -> float:
        """The band's cumulative probability: linear between P10, P50 and P90, the same slopes outside."""
        distance_kw = change_kw - self.p50_kw
        width_kw = self.p90_kw - self.p50_kw if distance_kw > 0 else self.p50_kw - self.p10_kw
        if width_kw <= 0.0:
            return 0.5 if distance_kw == 0 else float(distance_kw > 0)
        return min(1.0, max(0.0, 0.5 + 0.4 * distance_kw / width_kw))


def probability_beyond(bands_kw: NDArray[np.float64], limit_kw: float) -> NDArray[np.float64]:
    """P(|change| > limit) of many bands: :meth:`Forecast.probability_beyond` by columns, to the bit.

    Args:
        bands_kw: columns P10, P50, P90.
        limit_kw: a size of change, >= 0.
    """
    p10_kw, p50_kw, p90_kw = bands_kw.T

    def below(change_kw: float) -> NDArray[np.float64]:
        distance_kw = change_kw - p50_kw
        width_kw = np.where(distance_kw > 0, p90_kw - p50_kw, p50_kw - p10_kw)
        step = np.where(distance_kw == 0, 0.5, np.where(distance_kw > 0, 1.0, 0.0))
        wide = width_kw > 0.0
        with np.errstate(over="ignore"):  # a width next to zero: the bounds below hold it
            slope = np.divide(0.4 * distance_kw, width_kw, out=np.zeros_like(width_kw), where=wide)
        return np.where(wide, np.minimum(1.0, np.maximum(0.0, 0.5 + slope)), step)

    return np.asarray(1.0 - below(limit_kw) + below(-limit_kw))
