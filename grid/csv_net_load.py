"""Net load of a CSV's rows: the file's own, else load less those of solar and wind that it has."""

import numpy as np
import pandas as pd

from grid.series import CHANNELS

NET_LOAD_TOLERANCE = 0.001
"""Share by which a given net load may differ from that of its parts without a remark."""


def with_net_load(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The series' frame with its net load in kW, and remarks on it.

    Args:
        frame: the channels that the file has, in the series' units.

    Invariants:
        A given net load stays as it is, missing where it is missing. A derived one is missing where
        load or a part that the file has is missing.
    """
    derived, formula = _derived(frame)
    notes: list[str] = []
    if "net_load_kw" in frame:
        notes = [] if derived is None else _disagreement(frame["net_load_kw"], derived, formula)
    elif derived is not None:
        frame = frame.assign(net_load_kw=derived)
        notes = [f"net_load is {formula}"]
    else:
        frame = frame.assign(net_load_kw=np.nan)
        notes = ["no net load: the file has neither net_load nor load"]
    if derived is not None and frame["net_load_kw"].isna().all():
        notes.append("no row has a net load: in each a value is missing that it needs")
    return frame[[name for name in CHANNELS if name in frame]], notes


def _derived(frame: pd.DataFrame) -> tuple[pd.Series | None, str]:
    if "load_kw" not in frame:
        return None, ""
    parts = [name for name in ("solar_kw", "wind_kw") if name in frame]
    net_load = frame["load_kw"]
    for name in parts:
        net_load = net_load - frame[name]
    return net_load, " - ".join(["load", *(name.removesuffix("_kw") for name in parts)])


def _disagreement(given: pd.Series, derived: pd.Series, formula: str) -> list[str]:
    apart = (given - derived).abs()
    largest = np.maximum(given.abs(), derived.abs())
    beyond = apart > NET_LOAD_TOLERANCE * largest
    if not beyond.any():
        return []
    return [
        f"net_load differs from {formula} by more than {NET_LOAD_TOLERANCE:.1%} in {int(beyond.sum()):,} rows"
        f" (median {apart[beyond].median():,.6g} kW, at most {apart.max():,.6g} kW); net_load is used"
    ]
