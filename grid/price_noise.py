"""The chance in synthetic prices: autocorrelated errors and spikes, a stream for each local day."""

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]

_STEP_S = 300.0
_DA_RHO = 0.98
_RT_RHO = 0.92
_SPIKE_STEPS = np.array([1, 2, 3, 4, 6])
_SPIKE_LOG_MEAN = np.log(130.0)
_SPIKE_LOG_SIGMA = 0.9
_SPIKE_MAX_USD = 900.0


@dataclass(frozen=True, slots=True)
class DayNoise:
    """All the chance of one day, drawn before any net load is looked at.

    Attributes:
        da, rt: AR(1) noise of unit stationary deviation, per interval.
        spike_draw: uniform draw per interval; a spike begins below its odds.
        spike_rows: how many intervals a spike that begins here lasts.
        spike_usd: what it adds.
        steps: five-minute steps in an interval.
    """

    da: Array
    rt: Array
    spike_draw: Array
    spike_rows: NDArray[np.int64]
    spike_usd: Array
    steps: float

    @classmethod
    def draw(cls, price_seed: int, day: date, n: int, interval_s: float) -> "DayNoise":
        """The noise of the ``n`` intervals of a local day, at deviation 1 whatever their length."""
        rng = np.random.default_rng([price_seed, day.toordinal()])
        steps = interval_s / _STEP_S
        da = _ar1(rng.standard_normal(n), _DA_RHO**steps)
        rt = _ar1(rng.standard_normal(n), _RT_RHO**steps)
        draw = rng.random(n)
        rows = np.maximum(1, np.rint(rng.choice(_SPIKE_STEPS, n) / steps)).astype(np.int64)
        usd = np.minimum(_SPIKE_MAX_USD, np.exp(rng.normal(_SPIKE_LOG_MEAN, _SPIKE_LOG_SIGMA, n)))
        return cls(da, rt, draw, rows, usd, steps)

    def spikes_usd(self, odds_per_step: Array) -> Array:
        """What spikes add in each interval; none begins while another lasts."""
        added = np.zeros(len(self.spike_draw))
        free_from = 0
        for row in np.flatnonzero(self.spike_draw < odds_per_step * self.steps):
            if row >= free_from:
                free_from = int(row + self.spike_rows[row])
                added[row:free_from] = self.spike_usd[row]
        return added


def _ar1(shocks: Array, rho: float) -> Array:
    """AR(1) noise of unit stationary deviation from standard normal shocks."""
    scaled = shocks * np.sqrt(1.0 - rho**2)
    scaled[:1] = shocks[:1]
    return np.asarray(lfilter([1.0], [1.0, -rho], scaled), dtype=np.float64)
