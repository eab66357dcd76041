"""What a photovoltaic fleet would give under a cloudless sky: geometry and air from pvlib."""

import numpy as np
import pandas as pd
import pvlib
from numpy.typing import NDArray

LATITUDE_DEG = 37.4
LONGITUDE_DEG = -120.6
PANEL_TILT_DEG = 20.0
PANEL_AZIMUTH_DEG = 180.0
LINKE_TURBIDITY = 3.0
"""A fixed, fairly clean sky: nothing is looked up in a file or on a network."""

_GEOMETRY_STEP_S = 300.0


def clear_sky_output(start: pd.Timestamp, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the rated power (0 to 1) under a clear sky.

    The sun's path is solved every five minutes and interpolated between.

    Args:
        start: first moment, aware.
        seconds: moments to answer for, in seconds after ``start``, ascending.
    """
    knots = np.arange(0.0, seconds[-1] + 2 * _GEOMETRY_STEP_S, _GEOMETRY_STEP_S)
    times = start + pd.to_timedelta(knots, unit="s")
    sun = pvlib.solarposition.get_solarposition(times, LATITUDE_DEG, LONGITUDE_DEG)
    air_mass = pvlib.atmosphere.get_relative_airmass(sun["apparent_zenith"])
    sky = pvlib.clearsky.ineichen(sun["apparent_zenith"], air_mass, LINKE_TURBIDITY)
    on_panel = pvlib.irradiance.get_total_irradiance(
        PANEL_TILT_DEG,
        PANEL_AZIMUTH_DEG,
        sun["apparent_zenith"],
        sun["azimuth"],
        sky["dni"],
        sky["ghi"],
        sky["dhi"],
    )
    per_unit = np.clip(np.nan_to_num(on_panel["poa_global"].to_numpy(dtype=np.float64)) / 1000.0, 0.0, 1.0)
    return np.asarray(np.interp(seconds, knots, per_unit), dtype=np.float64)
