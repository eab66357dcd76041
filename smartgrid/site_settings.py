"""Sites in the settings: what the stream checks their telemetry against.

In ``smartgrid.toml``::

    lateness_s = 3600

    [sites.feeder-7]
    time_zone = "Europe/Berlin"
    cadence_s = 60
    load_kw = [0, 5000]
    solar_kw = [-2, inf]

    [sites.feeder-7-east]
    parent = "feeder-7"
"""

import math
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from pipeline.site_rules import SiteRules

CHANNELS = ("load_kw", "solar_kw", "wind_kw", "net_load_kw")


_time_zones = cache(available_timezones)
"""Listing them takes long, and there may be many sites."""


def _known_zone(name: str) -> str:
    if name not in _time_zones():
        raise PydanticCustomError("time_zone", "no IANA time zone; write it like America/Chicago")
    return name


def _ordered(ends: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    low, high = _closed(ends)
    if math.isnan(low) or math.isnan(high):
        raise PydanticCustomError("bounds", "NaN bounds nothing; write [low, high] in kW, inf where open")
    if not low < high:
        raise PydanticCustomError("bounds", "low must lie below high; write [low, high] in kW")
    return ends


def _closed(ends: tuple[float | None, float | None]) -> tuple[float, float]:
    """The same with an infinity where an end is open."""
    low, high = ends
    return -math.inf if low is None else low, math.inf if high is None else high


TimeZone = Annotated[str, AfterValidator(_known_zone)]
Bounds = Annotated[tuple[float | None, float | None], AfterValidator(_ordered)]


class SiteSettings(BaseModel):
    """One site; a value beyond its bounds is out of the physically possible and not believed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: TimeZone | None = Field(None, description="IANA name of its day; the model's where unset")
    parent: str | None = Field(None, description="the site whose meter measures this one's power too")
    cadence_s: float | None = Field(
        None, description="seconds between its pulses; the model's where unset", gt=0, allow_inf_nan=False
    )
    load_kw: Bounds | None = Field(None, description="[low, high] in kW; null or inf where an end is open")
    solar_kw: Bounds | None = Field(None, description="[low, high] in kW")
    wind_kw: Bounds | None = Field(None, description="[low, high] in kW")
    net_load_kw: Bounds | None = Field(None, description="[low, high] in kW")

    @property
    def bounds(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value in kW of each channel that has bounds."""
        found = {name: getattr(self, name) for name in CHANNELS}
        return {name: _closed(ends) for name, ends in found.items() if ends is not None}


def check_parents(sites: Mapping[str, SiteSettings]) -> Mapping[str, SiteSettings]:
    """The same sites, if every parent is one of them and none is its own ancestor.

    Raises:
        PydanticCustomError: naming the site, the parent and the fix.
    """
    for name, site in sites.items():
        if site.parent is not None and site.parent not in sites:
            raise PydanticCustomError(
                "parent",
                "{site}.parent = '{parent}': no such site; add a table for it, or correct the name",
                {"site": name, "parent": site.parent},
            )
        if name in _ancestors(sites, name):
            raise PydanticCustomError(
                "parent",
                "{site}.parent = '{parent}': the site is its own ancestor; take out one of these parents",
                {"site": name, "parent": str(site.parent)},
            )
    return sites


def _ancestors(sites: Mapping[str, SiteSettings], name: str) -> Iterator[str]:
    seen: set[str] = set()
    parent = sites[name].parent
    while parent is not None and parent not in seen:
        yield parent
        seen.add(parent)
        parent = sites[parent].parent if parent in sites else None


def site_rules(sites: Mapping[str, SiteSettings]) -> dict[str, SiteRules]:
    """The sites of the settings as the stream's engine takes them."""
    return {name: SiteRules(site.time_zone, site.bounds) for name, site in sites.items()}
