"""What one-event-at-a-time projects do: rebuild the features with pandas, predict one row.

Kafka is left out, which favours them; decoding and encoding are the standard library's.
"""

import json
from collections import defaultdict, deque
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from pipeline.features import FEATURE_NAMES, LAGS
from pipeline.model import ForecastModel
from smartgrid.bench.stream_worker import Stopwatch, WorkerReport

_WINDOW_PULSES = 360
_HORIZON = pd.Timedelta(minutes=30)


def pandas_events(messages: Iterable[bytes], model: ForecastModel, events: int) -> WorkerReport:
    """Measure the last events of a log, each with its site's last 30 minutes before it.

    Args:
        messages: of the log; at least 30 minutes more than ``events``.
        model: predicts.
        events: how many to measure.
    """
    log = list(messages)
    windows: dict[str, deque[dict[str, Any]]] = defaultdict(lambda: deque(maxlen=_WINDOW_PULSES))
    for value in log[:-events]:
        _remember(windows, value)
    watch = Stopwatch()
    for value in log[-events:]:
        pulse = _remember(windows, value)
        band = _band(pd.DataFrame(windows[pulse["site"]]), model)
        json.dumps(
            {
                "site": pulse["site"],
                "issued_at": pulse["ts_utc"].isoformat(),
                "target_at": (pulse["ts_utc"] + _HORIZON).isoformat(),
                **dict(zip(("p10_kw", "p50_kw", "p90_kw"), band, strict=True)),
                "model": model.name,
            }
        ).encode()
    return watch.stop(WorkerReport(events=events, forecasts=events, sites=len(windows)))


def _remember(windows: dict[str, deque[dict[str, Any]]], value: bytes) -> dict[str, Any]:
    pulse: dict[str, Any] = json.loads(value)
    pulse["ts_utc"] = datetime.fromisoformat(pulse["ts_utc"])
    windows[pulse["site"]].append(pulse)
    return pulse


def _band(window: pd.DataFrame, model: ForecastModel) -> list[float]:
    frame = window.set_index("ts_utc")
    load, net = frame["load_kw"], frame["net_load_kw"]
    for lag in range(1, LAGS + 1):
        frame[f"lag_{lag}_kw"] = net.shift(lag)
    for minutes in (5, 30):
        rolling = net.rolling(f"{minutes}min")
        frame[f"mean_{minutes}min_kw"], frame[f"std_{minutes}min_kw"] = rolling.mean(), rolling.std()
    frame["gradient_kw_per_min"] = net.diff() / (frame.index.to_series().diff().dt.total_seconds() / 60)
    frame["penetration"] = (frame["solar_kw"] + frame["wind_kw"]) / load.where(load > 0)
    clock = frame.index.to_series().dt
    hour = clock.hour + clock.minute / 60 + clock.second / 3600
    frame["hour_sin"], frame["hour_cos"] = np.sin(2 * np.pi * hour / 24), np.cos(2 * np.pi * hour / 24)
    last = frame.iloc[[-1]]
    row = last[list(FEATURE_NAMES)].to_numpy(dtype=np.float64)
    return [float(kw) for kw in model.predict(row, last["net_load_kw"].to_numpy(dtype=np.float64))[0]]
