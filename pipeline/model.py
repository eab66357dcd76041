"""The forecast model: XGBoost quantiles of ``Predicted_30min_Change`` and what it was made from."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xgboost

from pipeline.arrays import Floats
from pipeline.errors import ModelError
from pipeline.features import FEATURE_NAMES
from pipeline.model_inputs import FAMILIES, INPUT_NAMES, model_inputs
from pipeline.whole_file import write_whole

if TYPE_CHECKING:
    from pipeline.stream_model import FeatureBatch

QUANTILES: Final = (0.1, 0.5, 0.9)
METADATA_FILE: Final = "model.json"
FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ModelMetadata:
    """Where a model comes from and what it fits.

    Attributes:
        features: names of the feature row's columns, in order.
        cadence_s: seconds between pulses, of the lags.
        horizon_s: how far ahead the change is, in seconds.
        site_tz: time zone of the hour.
        quantiles: of the prediction's columns.
        data_start, data_end: ISO times of the first and last training row.
        rows: how many rows it learnt from.
        scale_kw: standard deviation of the training change; the model's unit.
        mean_kw: mean training net load.
        band_factor: by what the band was stretched so that it held 80 % of the validation rows.
        ramp_limit_kw: 90th percentile of |30-minute change| of the training intervals.
        p99_net_load_kw: 99th percentile of their |net load|.
        p5_net_load_kw, p95_net_load_kw: percentiles of their net load (synthetic prices).
        p97_change_kw: 97th percentile of their |30-minute change| (synthetic prices).
        largest_kw: largest solar and wind power by channel, of the channels that were there.
        metrics: measured on rows after those that were learnt from.
        sha256: over the trees and all of the above; empty before it is computed.
    """

    features: tuple[str, ...]
    cadence_s: float
    horizon_s: float
    site_tz: str
    quantiles: tuple[float, ...]
    data_start: str
    data_end: str
    rows: int
    scale_kw: float
    mean_kw: float
    band_factor: float
    ramp_limit_kw: float
    p99_net_load_kw: float
    p5_net_load_kw: float
    p95_net_load_kw: float
    p97_change_kw: float
    largest_kw: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    sha256: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


class ForecastModel:
    """A trained model with its metadata; predicts on one thread, the same bits in any batching.

    Args:
        booster: the trees.
        metadata: what they were made from; its hash is computed here when it is empty.
        raw: the trees as they were saved, which another version of the library writes differently;
            as this one writes them where None.

    Raises:
        ModelError: if the hash does not fit, or the features are not this program's.
    """

    def __init__(self, booster: xgboost.Booster, metadata: ModelMetadata, raw: bytes | None = None) -> None:
        raw = bytes(booster.save_raw("ubj")) if raw is None else raw
        found = _hash(raw, metadata)
        if metadata.sha256 not in ("", found):
            raise ModelError(
                f"sha256: the model's trees and metadata give {found[:12]}, not {metadata.sha256[:12]}: "
                "the files do not belong together; train again with 'smartgrid train'"
            )
        if metadata.features != FEATURE_NAMES:
            odd = sorted(set(metadata.features) ^ set(FEATURE_NAMES)) or ["their order"]
            raise ModelError(
                f"features: the model's differ from this program's in {', '.join(odd)}; "
                "train again with 'smartgrid train'"
            )
        booster.set_param({"nthread": 1})
        self._booster = booster
        self._raw = raw
        self.metadata = ModelMetadata(**{**_shallow(metadata), "sha256": found})

    @property
    def name(self) -> str:
        """How forecasts name their model."""
        return f"xgboost-{self.metadata.sha256[:12]}"

    def require_cadence(self, cadence_s: float) -> None:
        """Refuse a stream of another cadence.

        Raises:
            ModelError: if ``cadence_s`` is not the one that the model was trained at.
        """
        if cadence_s != self.metadata.cadence_s:
            raise ModelError(
                f"cadence_s: the stream's {cadence_s:g} s is not the model's {self.metadata.cadence_s:g} s; "
                "train a model on data of this cadence with 'smartgrid train'"
            )

    def predict(self, rows: Floats, net_load_kw: Floats) -> Floats:
        """Quantiles of the change for feature rows.

        Args:
            rows: feature rows, columns as in :data:`pipeline.features.FEATURE_NAMES`.
            net_load_kw: NL(t) of each row.

        Returns:
            Columns P10, P50, P90 in kW, in order in each row.
        """
        scale_kw = self.metadata.scale_kw
        inputs = model_inputs(rows, net_load_kw, scale_kw=scale_kw, mean_kw=self.metadata.mean_kw)
        if len(inputs) == 0:
            return np.empty((0, len(QUANTILES)))
        raw = np.asarray(self._booster.inplace_predict(inputs, missing=np.nan), dtype=np.float64)
        return stretch(np.sort(raw, axis=1), self.metadata.band_factor) * scale_kw

    @property
    def seasonal(self) -> None:
        """It asks for no seasonal inputs."""
        return

    def bands_kw(self, batch: "FeatureBatch") -> Floats:
        """As :class:`pipeline.stream_model.StreamModel`."""
        return self.predict(batch.rows, batch.net_load_kw)

    def importance_by_family(self) -> dict[str, float]:
        """Each feature family's share of the trees' total gain; they sum to 1."""
        gain = self._booster.get_score(importance_type="total_gain")
        by_input = {name: _number(gain.get(name, 0.0)) for name in INPUT_NAMES}
        total = sum(by_input.values()) or 1.0
        return {family: sum(by_input[name] for name in names) / total for family, names in FAMILIES.items()}

    def save(self, directory: Path | str) -> None:
        """Save into a directory; a model that is there is replaced in one step.

        Args:
            directory: made when it does not exist.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        trees = f"trees-{self.metadata.sha256[:12]}.ubj"
        write_whole(folder / trees, self._raw)
        document = {"format": FORMAT_VERSION, "trees": trees, **self.metadata.to_dict()}
        write_whole(folder / METADATA_FILE, json.dumps(document, indent=2).encode())
        for old in folder.glob("trees-*.ubj"):
            if old.name != trees:
                old.unlink()

    @classmethod
    def load(cls, directory: Path | str, *, cadence_s: float | None = None) -> "ForecastModel":
        """Load a saved model.

        Args:
            directory: where it was saved.
            cadence_s: the stream's cadence in seconds; a model of another one is refused.

        Raises:
            ModelError: if it is not there, damaged, or does not fit this program or cadence.
        """
        file = Path(directory) / METADATA_FILE
        try:
            document = json.loads(file.read_bytes())
            if document.pop("format") != FORMAT_VERSION:
                raise ModelError(f"{file}: another format; train again with 'smartgrid train'")
            raw = (Path(directory) / str(document.pop("trees"))).read_bytes()
            metadata = _metadata(document)
            booster = xgboost.Booster(params={"nthread": 1})
            booster.load_model(bytearray(raw))
        except FileNotFoundError as error:
            raise ModelError(
                f"{error.filename}: there is no model; train one with 'smartgrid train'"
            ) from error
        except (
            OSError,
            KeyError,
            TypeError,
            AttributeError,
            json.JSONDecodeError,
            xgboost.core.XGBoostError,
        ) as error:
            raise ModelError(f"{file}: damaged ({error}); train again with 'smartgrid train'") from error
        model = cls(booster, metadata, raw)
        if cadence_s is not None:
            model.require_cadence(cadence_s)
        return model


def stretch(band: Floats, factor: float) -> Floats:
    """A band (columns P10, P50, P90) with its distances from the median multiplied."""
    middle = band[:, 1:2]
    return np.asarray(middle + (band - middle) * factor)


def _shallow(metadata: ModelMetadata) -> dict[str, Any]:
    return {item.name: getattr(metadata, item.name) for item in fields(metadata)}


def _metadata(document: dict[str, Any]) -> ModelMetadata:
    lists = {name: tuple(document[name]) for name in ("features", "quantiles")}
    return ModelMetadata(**{**document, **lists})


def _hash(raw: bytes, metadata: ModelMetadata) -> str:
    document = {**metadata.to_dict(), "sha256": ""}
    text = json.dumps(document, sort_keys=True).encode()
    return hashlib.sha256(hashlib.sha256(raw).digest() + text).hexdigest()


def _number(value: float | list[float]) -> float:
    return sum(value) if isinstance(value, list) else float(value)
