"""What the trees see of a feature row: levels become differences to the newest net load.

The feature row (:data:`pipeline.features.FEATURE_NAMES`) is absolute, and trees cannot extrapolate
a level. So lags and rolling means enter as differences to NL(t), everything in kW is divided by
the training scale, and the level itself is one more, scaled input. The target is the change.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.arrays import Floats
from pipeline.features import FEATURE_NAMES, LAG_NAMES

LEVEL_NAME: Final = "level"
INPUT_NAMES: Final = (*FEATURE_NAMES, LEVEL_NAME)
_IN_KW: Final = sum("_kw" in name for name in FEATURE_NAMES)
"""The first so many columns are in kW."""
_RELATIVE: Final = np.array(
    [float(name in LAG_NAMES or name.startswith("mean_")) for name in FEATURE_NAMES[:_IN_KW]]
)

FAMILIES: Final = {
    "lags": LAG_NAMES,
    "rolling": ("mean_5min_kw", "std_5min_kw", "mean_30min_kw", "std_30min_kw"),
    "gradient": ("gradient_kw_per_min",),
    "penetration": ("penetration",),
    "hour": ("hour_sin", "hour_cos"),
    "level": (LEVEL_NAME,),
}


def model_inputs(
    rows: Floats, net_load_kw: Floats, *, scale_kw: float, mean_kw: float
) -> NDArray[np.float32]:
    """The trees' inputs for feature rows.

    Args:
        rows: feature rows.
        net_load_kw: NL(t) of each row.
        scale_kw: training scale, > 0.
        mean_kw: training mean of the net load.

    Returns:
        One row each, columns as in :data:`INPUT_NAMES`; missing stays NaN.
    """
    inputs = np.empty((len(rows), len(INPUT_NAMES)), dtype=np.float32)
    inputs[:, :_IN_KW] = (rows[:, :_IN_KW] - net_load_kw[:, None] * _RELATIVE) / scale_kw
    inputs[:, _IN_KW:-1] = rows[:, _IN_KW:]
    inputs[:, -1] = (net_load_kw - mean_kw) / scale_kw
    return inputs
