"""What shakes a synthetic day: cloud fronts, plants that trip, blocks of load that step."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Kind = Literal["cloud_front", "wind_trip", "solar_trip", "load_step"]

EVENTS_PER_DAY = 2.5
"""Mean number of disturbances (Poisson)."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One disturbance of a day.

    Attributes:
        kind: what happens.
        start_s: seconds after local midnight.
        duration_s: until it begins to recover.
        onset_s, recovery_s: how long the way down and the way back take.
        depth: share of the channel lost (cloud front, trips), or share of the mean load that
            steps up or, if negative, down (load step).
    """

    kind: Kind
    start_s: float
    duration_s: float
    onset_s: float
    recovery_s: float
    depth: float

    def shape(self, seconds: Array) -> Array:
        """``depth`` while it lasts, zero outside, linear between."""
        end_s = self.start_s + self.duration_s
        knots = [self.start_s, self.start_s + self.onset_s, end_s, end_s + self.recovery_s]
        return np.interp(seconds, knots, [0.0, self.depth, self.depth, 0.0])


def draw_disturbances(rng: np.random.Generator) -> tuple[Disturbance, ...]:
    """The disturbances of one day, in the order of their start."""
    drawn = [_draw_one(rng) for _ in range(rng.poisson(EVENTS_PER_DAY))]
    return tuple(sorted(drawn, key=lambda disturbance: disturbance.start_s))


def _draw_one(rng: np.random.Generator) -> Disturbance:
    kind = rng.choice(["cloud_front", "wind_trip", "solar_trip", "load_step"], p=[0.45, 0.2, 0.1, 0.25])
    hour_s = 3600.0
    match kind:
        case "cloud_front":
            return Disturbance(
                "cloud_front",
                start_s=rng.uniform(8.0, 18.0) * hour_s,
                duration_s=rng.uniform(0.5, 2.0) * hour_s,
                onset_s=rng.uniform(600.0, 1500.0),
                recovery_s=rng.uniform(900.0, 2700.0),
                depth=rng.uniform(0.2, 0.4),
            )
        case "load_step":
            return Disturbance(
                "load_step",
                start_s=rng.uniform(0.0, 23.0) * hour_s,
                duration_s=rng.uniform(0.5, 3.0) * hour_s,
                onset_s=10.0,
                recovery_s=rng.uniform(600.0, 1500.0),
                depth=rng.choice([-1.0, 1.0]) * rng.uniform(0.03, 0.07),
            )
        case "wind_trip":
            start_hour, depth = rng.uniform(0.0, 23.0), rng.uniform(0.3, 0.8)
            return Disturbance(
                "wind_trip", start_hour * hour_s, rng.uniform(0.5, 2.0) * hour_s, 5.0, 1200.0, depth
            )
        case _:
            start_hour, depth = rng.uniform(9.0, 17.0), rng.uniform(0.15, 0.3)
            return Disturbance(
                "solar_trip", start_hour * hour_s, rng.uniform(0.5, 2.0) * hour_s, 5.0, 900.0, depth
            )
