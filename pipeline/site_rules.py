"""What is known of a site beforehand: its local day, and what its meters can possibly show."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SiteRules:
    """One site's rules; without any, the model's time zone holds and every finite value is believed.

    Attributes:
        time_zone: IANA name of its local day; None where the model's holds.
        bounds: lowest and highest possible value in kW by channel (``load_kw``, ``solar_kw``,
            ``wind_kw``, ``net_load_kw``), both included; -inf or inf where that end is open. A
            channel that is not named has no bounds.
    """

    time_zone: str | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
