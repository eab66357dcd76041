"""A trained forecast on disk: forecasters of one or more horizons, their bands, and where they come from.

A folder holds ``model.json`` (what it is, and a SHA-256 of every other file), ``arrays.npz`` and the
trees as XGBoost's UBJSON. Nothing in it is code: it is read without pickle, and no file is parsed
before its hash fits.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
import xgboost
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from pipeline.arrays import Floats
from pipeline.errors import FeatureError, ModelError
from pipeline.forecasting.bands import BandState
from pipeline.forecasting.linear import LinearStage
from pipeline.forecasting.model import Forecaster
from pipeline.forecasting.rows import RowLayout
from pipeline.whole_file import write_whole

METADATA_FILE: Final = "model.json"
ARRAYS_FILE: Final = "arrays.npz"
KIND: Final = "smartgrid-forecast"
FORMAT_VERSION: Final = 3
_TREES: Final = ("residual", "direct", "spread")
_RAMPING: Final = ("ramping-1", "ramping-2")
_AGAIN: Final = "train again with 'smartgrid train'"


@dataclass(frozen=True, slots=True)
class HorizonMetadata:
    """One horizon's forecaster.

    Attributes:
        horizon_s: how far ahead the change is, in seconds.
        scale_kw: standard deviation of the training change; the forecaster's unit inside.
        ramp_kw: 99th percentile of the training |change|.
        rows: how many it learnt from.
        metrics: measured on rows after those that an earlier fit had learnt from.
    """

    horizon_s: float
    scale_kw: float
    ramp_kw: float
    rows: int
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ForecastMetadata:
    """Where a trained forecast comes from and what it fits.

    Attributes:
        features: names of a row's columns, in order.
        cadence_s: nominal seconds between pulses.
        site_tz: time zone of the site's local day.
        components: channels that it reads beside the net load.
        quantiles: of the bands, ascending.
        horizons: of its forecasters, ascending.
        data_start, data_end: ISO times of the first and last training row.
        rows: how many rows it learnt from, at the horizon that has the most.
        ramp_limit_kw: 90th percentile of |30-minute change| of the training intervals.
        p99_net_load_kw: 99th percentile of their |net load|.
        p5_net_load_kw, p95_net_load_kw: percentiles of their net load (synthetic prices).
        p97_change_kw: 97th percentile of their |30-minute change| (synthetic prices).
        largest_kw: largest solar and wind power by channel, of the channels that were there.
        sha256: over all of the above and every other file; empty before it is computed.
    """

    features: tuple[str, ...]
    cadence_s: float
    site_tz: str
    components: tuple[str, ...]
    quantiles: tuple[float, ...]
    horizons: tuple[HorizonMetadata, ...]
    data_start: str
    data_end: str
    rows: int
    ramp_limit_kw: float
    p99_net_load_kw: float
    p5_net_load_kw: float
    p95_net_load_kw: float
    p97_change_kw: float
    largest_kw: dict[str, float] = field(default_factory=dict)
    sha256: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        found: dict[str, Any] = _METADATA.dump_python(self, mode="json")
        return found

    def at(self, horizon_s: float) -> HorizonMetadata:
        """One horizon's.

        Raises:
            ModelError: if there is none of that horizon.
        """
        for item in self.horizons:
            if item.horizon_s == horizon_s:
                return item
        known = ", ".join(f"{item.horizon_s:g}" for item in self.horizons)
        raise ModelError(f"horizon_s: {horizon_s:g}; the model forecasts {known} s ahead; {_AGAIN}")


_METADATA: Final = TypeAdapter(ForecastMetadata)


class _Document(BaseModel):
    """What ``model.json`` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kind: Literal["smartgrid-forecast"] = KIND
    format: Literal[3] = FORMAT_VERSION
    files: dict[str, str]
    metadata: ForecastMetadata


@dataclass(frozen=True)
class TrainedForecast:
    """Forecasters and bands by horizon, with where they come from.

    Attributes:
        metadata: its hash is that of the content.
        forecasters: by horizon in seconds.
        bands: what the bands knew at the end of training, by horizon in seconds.
    """

    metadata: ForecastMetadata
    forecasters: Mapping[float, Forecaster]
    bands: Mapping[float, BandState]

    @classmethod
    def of(
        cls,
        metadata: ForecastMetadata,
        forecasters: Mapping[float, Forecaster],
        bands: Mapping[float, BandState],
    ) -> "TrainedForecast":
        """A trained forecast whose metadata get the hash of its content."""
        hashed = replace(metadata, sha256="")
        digests = _digests(_contents(forecasters, bands))
        hashed = replace(hashed, sha256=_hash(hashed, digests))
        return cls(hashed, MappingProxyType(dict(forecasters)), MappingProxyType(dict(bands)))

    @property
    def name(self) -> str:
        """How forecasts name their model."""
        return f"xgboost-{self.metadata.sha256[:12]}"

    def require_cadence(self, cadence_s: float) -> None:
        """Refuse a stream of another cadence.

        Raises:
            ModelError: if ``cadence_s`` is not the one that it was trained at.
        """
        if cadence_s != self.metadata.cadence_s:
            raise ModelError(
                f"cadence_s: the stream's {cadence_s:g} s is not the model's {self.metadata.cadence_s:g} s; "
                "train a model on data of this cadence with 'smartgrid train'"
            )

    def predict(self, rows: Floats, horizon_s: float) -> tuple[Floats, Floats]:
        """Quantiles of the change, and the spread, in kW, by the bands as training left them.

        Args:
            rows: inputs of that horizon's layout.
            horizon_s: how far ahead, in seconds.

        Raises:
            ModelError: if there is no forecaster of that horizon.
        """
        self.metadata.at(horizon_s)
        median_kw, spread_kw = self.forecasters[horizon_s].predict(rows)
        return self.bands[horizon_s].bands(median_kw, spread_kw), spread_kw

    def importance_by_family(self) -> dict[str, float]:
        """Each feature family's share of the direct trees' total gain, over all horizons; they sum to 1."""
        gain: dict[str, float] = {}
        for forecaster in self.forecasters.values():
            found = forecaster.direct.get_score(importance_type="total_gain")
            for place, family in enumerate(forecaster.layout.families.values()):
                of_input = found.get(f"f{place}", 0.0)
                gain[family] = gain.get(family, 0.0) + float(np.sum(of_input))
        total = sum(gain.values()) or 1.0
        return {family: value / total for family, value in gain.items()}

    def save(self, folder: Path) -> None:
        """Write it into a folder; ``model.json`` comes last, so that a half-written model is none.

        Args:
            folder: made where it does not exist.
        """
        folder.mkdir(parents=True, exist_ok=True)
        contents = _contents(self.forecasters, self.bands)
        for name, content in contents.items():
            write_whole(folder / name, content)
        document = _Document(files=_digests(contents), metadata=self.metadata)
        write_whole(folder / METADATA_FILE, document.model_dump_json(indent=2).encode())

    @classmethod
    def load(cls, folder: Path, *, cadence_s: float | None = None) -> "TrainedForecast":
        """Read one that was saved.

        Args:
            folder: where it was saved.
            cadence_s: the stream's cadence in seconds; a model of another one is refused.

        Raises:
            ModelError: if it is not there, damaged, of another kind, or does not fit this program or cadence.
        """
        document = _document(folder / METADATA_FILE)
        metadata = document.metadata
        if metadata.sha256 != _hash(replace(metadata, sha256=""), document.files):
            raise ModelError(f"{folder / METADATA_FILE}: sha256 does not fit what it says; {_AGAIN}")
        contents = {name: _checked(folder, name, digest) for name, digest in document.files.items()}
        try:
            forecasters, bands = _parsed(metadata, contents)
        except (KeyError, ValueError, FeatureError, zipfile.BadZipFile, xgboost.core.XGBoostError) as error:
            raise ModelError(f"{folder}: cannot be read ({error}); {_AGAIN}") from error
        _require_features(metadata, forecasters)
        loaded = cls(metadata, MappingProxyType(forecasters), MappingProxyType(bands))
        if cadence_s is not None:
            loaded.require_cadence(cadence_s)
        return loaded


def is_trained_forecast(folder: Path) -> bool:
    """Whether a folder holds one of these rather than something else; it may still be damaged."""
    try:
        document = json.loads((folder / METADATA_FILE).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and document.get("kind") == KIND


def _document(file: Path) -> _Document:
    try:
        return _Document.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise ModelError(f"{file}: there is no model; train one with 'smartgrid train'") from error
    except (OSError, ValidationError) as error:
        reason = _first(error) if isinstance(error, ValidationError) else str(error)
        raise ModelError(f"{file}: damaged, or of another program or version ({reason}); {_AGAIN}") from error


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"


def _checked(folder: Path, name: str, digest: str) -> bytes:
    file = folder / name
    if Path(name).name != name:
        raise ModelError(f"{folder / METADATA_FILE}: files: {name!r} is no plain file name; {_AGAIN}")
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror}); {_AGAIN}") from error
    if hashlib.sha256(content).hexdigest() != digest:
        raise ModelError(f"{file}: damaged, its sha256 is not the one in {METADATA_FILE}; {_AGAIN}")
    return content


def _contents(forecasters: Mapping[float, Forecaster], bands: Mapping[float, BandState]) -> dict[str, bytes]:
    """Every file but ``model.json``."""
    contents: dict[str, bytes] = {}
    arrays: dict[str, Any] = {}
    for horizon_s in sorted(forecasters):
        forecaster, state = forecasters[horizon_s], bands[horizon_s]
        mark = _mark(horizon_s)
        for part in ("columns", "center", "width", "weights"):
            arrays[f"{mark}.linear.{part}"] = getattr(forecaster.linear, part)
        arrays[f"{mark}.bands.day"] = np.int64(-1 if state.day is None else state.day)
        arrays[f"{mark}.bands.risk_limit_kw"] = np.float64(state.risk_limit_kw)
        arrays[f"{mark}.bands.multiples"] = state.multiples
        arrays[f"{mark}.bands.scores"] = state.scores
        trees = {part: getattr(forecaster, part) for part in _TREES}
        trees |= dict(zip(_RAMPING, forecaster.ramping, strict=True))
        for part, booster in trees.items():
            contents[f"{mark}-{part}.ubj"] = bytes(booster.save_raw("ubj"))
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return {ARRAYS_FILE: buffer.getvalue(), **contents}


def _parsed(
    metadata: ForecastMetadata, contents: Mapping[str, bytes]
) -> tuple[dict[float, Forecaster], dict[float, BandState]]:
    forecasters: dict[float, Forecaster] = {}
    bands: dict[float, BandState] = {}
    with np.load(io.BytesIO(contents[ARRAYS_FILE]), allow_pickle=False) as arrays:
        for item in metadata.horizons:
            mark = _mark(item.horizon_s)
            layout = RowLayout(metadata.cadence_s, item.horizon_s, metadata.site_tz, metadata.components)
            line = LinearStage(
                *(arrays[f"{mark}.linear.{part}"] for part in ("columns", "center", "width", "weights"))
            )
            trees = {part: _booster(contents[f"{mark}-{part}.ubj"]) for part in (*_TREES, *_RAMPING)}
            ramping = tuple(trees.pop(part) for part in _RAMPING)
            forecasters[item.horizon_s] = Forecaster(
                layout, item.scale_kw, item.ramp_kw, item.rows, line, ramping=ramping, **trees
            )
            day = int(arrays[f"{mark}.bands.day"])
            bands[item.horizon_s] = BandState(
                quantiles=metadata.quantiles,
                day=None if day < 0 else day,
                risk_limit_kw=float(arrays[f"{mark}.bands.risk_limit_kw"]),
                multiples=arrays[f"{mark}.bands.multiples"],
                scores=arrays[f"{mark}.bands.scores"],
            )
    return forecasters, bands


def _booster(raw: bytes) -> xgboost.Booster:
    booster = xgboost.Booster(params={"nthread": 1})
    booster.load_model(bytearray(raw))
    return booster


def _require_features(metadata: ForecastMetadata, forecasters: Mapping[float, Forecaster]) -> None:
    for forecaster in forecasters.values():
        if forecaster.layout.names != metadata.features:
            odd = sorted(set(metadata.features) ^ set(forecaster.layout.names)) or ["their order"]
            raise ModelError(
                f"features: the model's differ from this program's in {', '.join(odd)}; {_AGAIN}"
            )


def _mark(horizon_s: float) -> str:
    return f"{horizon_s:g}s"


def _digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _hash(metadata: ForecastMetadata, files: Mapping[str, str]) -> str:
    document = {"metadata": metadata.to_dict(), "files": dict(files)}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()
