"""What the stream gives a model, and what it asks of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.arrays import Floats, Indices, Micros
from pipeline.forecasting.seasonal_memory import SeasonalNeed
from pipeline.model import ModelMetadata


@dataclass(frozen=True, slots=True)
class FeatureBatch:
    """Features of some accepted events, one entry or row each.

    Attributes:
        ts_us: event times.
        net_load_kw: NL(t).
        rows: columns as :data:`pipeline.features.FEATURE_NAMES`.
        change_kw: NL(t) − NL(t − 30 min); NaN where the earlier one is missing.
        seasonal: columns as the model's need names them; none where it needs none.
        time_zones: IANA names, and the events of the sites in each.
    """

    ts_us: Micros
    net_load_kw: Floats
    rows: Floats
    change_kw: Floats
    seasonal: Floats
    time_zones: Sequence[tuple[str, Indices]]

    def __len__(self) -> int:
        return len(self.ts_us)


class StreamModel(Protocol):
    """A model that forecasts batches of events; the same bits in any batching."""

    @property
    def metadata(self) -> ModelMetadata:
        """Where it comes from and what it fits."""
        ...

    @property
    def name(self) -> str:
        """How forecasts name it."""
        ...

    @property
    def seasonal(self) -> SeasonalNeed | None:
        """What seasonal inputs it asks for."""
        ...

    def require_cadence(self, cadence_s: float) -> None:
        """Refuse a stream of another cadence.

        Raises:
            ModelError: if ``cadence_s`` is not the one that it was trained at.
        """
        ...

    def importance_by_family(self) -> Mapping[str, float]:
        """Each feature family's share of the trees' total gain; they sum to 1."""
        ...

    def save(self, directory: Path) -> None:
        """Save it into a directory."""
        ...

    def bands_kw(self, batch: FeatureBatch) -> Floats:
        """Columns P10, P50, P90 of the change in kW, in order in each row."""
        ...
