"""A site's fitted detector: learnt from past series, saved beside the forecast model, loaded again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from grid.intervals import SHORTEST_INTERVAL_S, interval_means
from grid.series import BaseSeries
from pipeline.fdia.balance import BalanceFit
from pipeline.fdia.bank import Bank
from pipeline.fdia.detector import DetectorModel
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.fitting import fit_detector
from pipeline.fdia.layout import DAY_S, DAYS, Layout
from pipeline.fdia.regular import RegularSeries, measured_channels, to_regular
from pipeline.whole_file import write_whole

DETECTOR_FILE: Final = "detector.npz"
FORMAT_VERSION: Final = 1
MOST_DAYS: Final = 400
"""Learnt from: the newest; a year shows every season."""
LEAST_FULL_DAYS: Final = 35
FEWEST_GAPS_SHARE: Final = 0.5
_ARRAYS: Final = (
    "weights",
    "spread_kw",
    "interest_kw",
    "level_kw",
    "resolution_kw",
    "ordinary",
    "tails",
    "usual",
)


@dataclass(frozen=True)
class FittedDetector:
    """What training taught; at least one of the two.

    Attributes:
        full: compares with the last week; None where less than five weeks were learnt from.
        short: reads the last hour and knows jumps alone: for a site that nothing is known of yet.
    """

    full: DetectorModel | None
    short: DetectorModel | None

    def _any(self) -> DetectorModel:
        model = self.full or self.short
        if model is None:
            raise DetectorError("a detector holds no model; fit it on more data")
        return model

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that are judged."""
        return self._any().channels

    @property
    def cadence_s(self) -> float:
        """Seconds between the rows that are judged; faster pulses are averaged."""
        return self._any().layout.cadence_s

    @property
    def site_tz(self) -> str:
        """IANA time zone of the site's day."""
        return self._any().layout.site_tz

    def level_kw(self, channel: str) -> float | None:
        """Mean of |channel| in the training rows; None for a channel that is not judged."""
        model = self._any()
        return (
            float(model.bank.level_kw[model.channels.index(channel)]) if channel in model.channels else None
        )

    def save(self, directory: Path) -> None:
        """Write it beside the forecast model."""
        arrays: dict[str, Any] = {}
        header: dict[str, Any] = {"version": FORMAT_VERSION}
        for name, model in (("full", self.full), ("short", self.short)):
            if model is not None:
                header[name] = _header(model)
                arrays |= {f"{name}.{part}": getattr(model.bank, part) for part in _ARRAYS}
                if model.balance is not None:
                    arrays[f"{name}.balance"] = model.balance.tails
        content = BytesIO()
        np.savez_compressed(content, header=np.array(json.dumps(header)), **arrays)
        directory.mkdir(parents=True, exist_ok=True)
        write_whole(directory / DETECTOR_FILE, content.getvalue())

    @classmethod
    def load(cls, directory: Path) -> "FittedDetector | None":
        """Read it; None where none was fitted.

        Raises:
            DetectorError: if the file is damaged or of another version.
        """
        path = directory / DETECTOR_FILE
        if not path.is_file():
            return None
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                header = json.loads(str(arrays["header"]))
                if header["version"] != FORMAT_VERSION:
                    raise DetectorError(f"{path}: version {header['version']}; train again")
                models = {
                    name: _model(header[name], name, arrays) for name in ("full", "short") if name in header
                }
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            raise DetectorError(
                f"{path}: cannot be read ({error}); train again with 'smartgrid train'"
            ) from error
        return cls(models.get("full"), models.get("short"))


def _header(model: DetectorModel) -> dict[str, Any]:
    layout, balance = model.layout, model.balance
    return {
        "channels": list(model.channels),
        "cadence_s": layout.cadence_s,
        "site_tz": layout.site_tz,
        "days": layout.days,
        "alarms": [model.alarm_day, model.alarm_week],
        "balance": None if balance is None else [balance.offset, balance.noise, balance.level_kw],
    }


def _model(header: dict[str, Any], name: str, arrays: Any) -> DetectorModel:
    layout = Layout(header["cadence_s"], header["site_tz"], header["days"])
    bank = Bank(layout, **{part: arrays[f"{name}.{part}"] for part in _ARRAYS})
    balance = header["balance"]
    fit = None
    if balance is not None:
        offset, noise, level_kw = balance
        fit = BalanceFit(offset, noise, level_kw, arrays[f"{name}.balance"])
    return DetectorModel(tuple(header["channels"]), bank, fit, *header["alarms"])


def learn_detector(
    series: BaseSeries | Sequence[BaseSeries], site_tz: str, channels: Sequence[str] | None = None
) -> FittedDetector:
    """Fit a site's detector on rows that are taken to be clean.

    Args:
        series: one series, or several separate ones such as single days, in the order of time.
        site_tz: IANA time zone of the site's day.
        channels: which to judge; every power channel that is measured by default.

    Raises:
        DetectorError: for fewer than four days, or a cadence that is not served.
    """
    parts = [series] if isinstance(series, BaseSeries) else list(series)
    frame = pd.concat([interval_means(part) for part in parts]).sort_index()
    frame = frame[~frame.index.duplicated()]
    frame = frame[frame.index >= frame.index[-1] - pd.Timedelta(days=MOST_DAYS)]
    cadence_s = max(SHORTEST_INTERVAL_S, parts[0].cadence_s)
    chosen = tuple(channels) if channels else measured_channels(frame)
    regular, _ = to_regular(BaseSeries(frame, cadence_s), chosen)
    short = fit_detector(regular, site_tz, 0)
    return FittedDetector(fit_detector(regular, site_tz, DAYS) if _fits_full(regular) else None, short)


def _fits_full(regular: RegularSeries) -> bool:
    """Whether there are weeks without many gaps."""
    rows = LEAST_FULL_DAYS * DAY_S / regular.cadence_s
    known = np.asarray(~np.isnan(regular.values_kw).any(axis=0))
    return len(regular) >= rows and float(known.mean()) >= FEWEST_GAPS_SHARE
