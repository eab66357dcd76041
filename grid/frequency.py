"""The system's frequency: what an imbalance of the area does to the machines around it.

In per unit of the system's rating, with ω the relative deviation of the frequency::

    2 H dω/dt = (schedule − net load) + governors − D ω        inertia, damping
    T dg/dt   = −ω / R − g                                     governors with droop
    τ ds/dt   = net load − s                                   the schedule follows (AGC)

The equations are linear, so each pulse is solved exactly for the net load held over it: stable
at any cadence.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

FREQUENCY_DEADBAND_HZ = 0.036
"""Beyond this deviation the frequency counts as disturbed (36 mHz, the governors' usual deadband)."""


@dataclass(frozen=True, slots=True)
class SystemSpec:
    """The power system that the area hangs on.

    Attributes:
        rating_kw: rating of the machines that hold the frequency.
        nominal_hz: 60 or 50.
        inertia_s: H, stored energy over rating.
        damping_pu: D, relief by load per unit of frequency.
        droop_pu: R, frequency deviation that brings the governors to full power.
        governor_s: T, their time constant.
        schedule_s: τ, how slowly generation is rescheduled to the area's net load.
    """

    rating_kw: float
    nominal_hz: float = 60.0
    inertia_s: float = 5.0
    damping_pu: float = 1.0
    droop_pu: float = 0.05
    governor_s: float = 2.0
    schedule_s: float = 300.0


class FrequencyModel:
    """The frequency, pulse after pulse."""

    def __init__(self, spec: SystemSpec) -> None:
        self._spec = spec
        self._deviation = self._governors = 0.0
        self._schedule_kw: float | None = None
        self._transitions: dict[float, NDArray[np.float64]] = {}

    @property
    def nominal_hz(self) -> float:
        """The frequency of a system in balance."""
        return self._spec.nominal_hz

    def step(self, net_load_kw: float, duration_s: float) -> float:
        """Hold the metered net load (kW, positive imports) for ``duration_s``; the mean frequency in Hz.

        The first net load is taken as scheduled.
        """
        if self._schedule_kw is None:
            self._schedule_kw = net_load_kw
        imbalance_pu = (net_load_kw - self._schedule_kw) / self._spec.rating_kw
        state = np.array([self._deviation, self._governors, imbalance_pu, 0.0])
        deviation, governors, imbalance_pu, sum_s = (self._transition(duration_s) @ state).tolist()
        self._deviation, self._governors = deviation, governors
        self._schedule_kw = net_load_kw - imbalance_pu * self._spec.rating_kw
        return self._spec.nominal_hz * (1.0 + float(sum_s) / duration_s)

    def _transition(self, duration_s: float) -> NDArray[np.float64]:
        """exp(A t) over deviation, governors, imbalance and the running integral of the deviation."""
        if duration_s not in self._transitions:
            spec = self._spec
            inertia = 2.0 * spec.inertia_s
            rates = np.array(
                [
                    [-spec.damping_pu / inertia, 1.0 / inertia, -1.0 / inertia, 0.0],
                    [-1.0 / (spec.droop_pu * spec.governor_s), -1.0 / spec.governor_s, 0.0, 0.0],
                    [0.0, 0.0, -1.0 / spec.schedule_s, 0.0],
                    [1.0, 0.0, 0.0, 0.0],
                ]
            )
            self._transitions[duration_s] = np.asarray(expm(rates * duration_s), dtype=np.float64)
        return self._transitions[duration_s]
