"""A site's fitted detector: saved beside the forecast model, loaded again."""

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import numpy as np

from pipeline.fdia.balance import BalanceFit
from pipeline.fdia.bank import ARRAYS, Bank
from pipeline.fdia.detector import DetectorModel
from pipeline.fdia.errors import DetectorError
from pipeline.fdia.layout import Layout
from pipeline.whole_file import write_whole

DETECTOR_FILE: Final = "detector.npz"
FORMAT_VERSION: Final = 2


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
                arrays |= {f"{name}.{part}": getattr(model.bank, part) for part in ARRAYS}
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
    bank = Bank(layout, **{part: arrays[f"{name}.{part}"] for part in ARRAYS})
    balance = header["balance"]
    fit = None
    if balance is not None:
        offset, noise, level_kw = balance
        fit = BalanceFit(offset, noise, level_kw, arrays[f"{name}.balance"])
    return DetectorModel(tuple(header["channels"]), bank, fit, *header["alarms"])
