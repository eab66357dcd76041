"""Clouds and wind over one day, as autocorrelated noise on the generator's fine grid."""

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Array = NDArray[np.float64]


def wander(rng: np.random.Generator, n: int, memory_s: float, step_s: float) -> Array:
    """Stationary Ornstein-Uhlenbeck noise of unit deviation, exactly discretised.

    Args:
        rng: source of the noise.
        n: number of steps.
        memory_s: time after which the autocorrelation has fallen to 1/e.
        step_s: length of a step.
    """
    rho = np.exp(-step_s / memory_s)
    shocks = rng.standard_normal(n)
    shocks[1:] *= np.sqrt(1.0 - rho**2)
    return np.asarray(lfilter([1.0], [1.0, -rho], shocks), dtype=np.float64)


def clearness(rng: np.random.Generator, n: int, step_s: float) -> Array:
    """Share of the clear-sky output (about 0.15 to 1) that passing clouds leave to a fleet.

    A day has its own cloudiness; within it, weather of hours and clouds of minutes pass.
    """
    cloudiness = rng.normal(-1.1, 0.9)
    latent = (
        cloudiness
        + 0.5 * wander(rng, n, 2.5 * 3600.0, step_s)
        + 0.2 * wander(rng, n, 1800.0, step_s)
        + 0.12 * wander(rng, n, 240.0, step_s)
    )
    return 1.0 - 0.7 / (1.0 + np.exp(-2.0 * latent))


def wind_output(rng: np.random.Generator, n: int, step_s: float) -> Array:
    """Share of the rated power (0 to 1) of a wind fleet: wandering speed through a power curve."""
    mean_m_per_s = np.clip(rng.normal(7.5, 1.3), 4.5, 11.0)
    speed = (
        mean_m_per_s
        + 1.5 * wander(rng, n, 6 * 3600.0, step_s)
        + 0.45 * wander(rng, n, 2400.0, step_s)
        + 0.15 * wander(rng, n, 120.0, step_s)
    )
    return np.asarray(1.0 / (1.0 + np.exp(-(speed - 8.5) / 1.4)))
