"""Whether the sun can be up, from a time zone alone: solar power in deep night is no measurement.

The zone's chief city stands for its meters; they may lie a thousand kilometres off, so that only
a sun far below the city's horizon counts as night.
"""

import math
import re
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Final

DEEP_NIGHT_DEG: Final = -18.0
_CITY: Final = re.compile(r"^([+-])(\d{2})(\d{2})(?:\d{2})?([+-])(\d{3})(\d{2})(?:\d{2})?$")
_EQUINOX_DAY: Final = 81
_TILT_DEG: Final = 23.44


def deep_night(at: datetime, tz: str) -> bool:
    """Whether the sun stands deep below the horizon of all of a time zone; False where that is not known.

    Args:
        at: aware.
        tz: IANA name.
    """
    place = coordinates_deg(tz)
    return place is not None and sun_elevation_deg(at, *place) < DEEP_NIGHT_DEG


def sun_elevation_deg(at: datetime, latitude_deg: float, longitude_deg: float) -> float:
    """Height of the sun, within about two degrees (no equation of time, no refraction)."""
    seconds = at.timestamp() % 86_400.0
    hour_angle = math.radians(seconds / 240.0 - 180.0 + longitude_deg)
    day = at.timetuple().tm_yday
    declination = math.radians(_TILT_DEG) * math.sin(2.0 * math.pi * (day - _EQUINOX_DAY) / 365.25)
    latitude = math.radians(latitude_deg)
    sine = math.sin(latitude) * math.sin(declination)
    sine += math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    return math.degrees(math.asin(max(-1.0, min(1.0, sine))))


def coordinates_deg(tz: str) -> tuple[float, float] | None:
    """Latitude and longitude of a zone's chief city; None for a zone that has none, such as UTC."""
    return _cities().get(tz)


@cache
def _cities() -> dict[str, tuple[float, float]]:
    try:
        table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text("utf-8")
    except (ModuleNotFoundError, OSError):
        return {}
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    found = {fields[2]: _CITY.match(fields[1]) for fields in rows}
    return {name: _degrees(match) for name, match in found.items() if match is not None}


def _degrees(city: "re.Match[str]") -> tuple[float, float]:
    north, degrees, minutes, east, degrees_east, minutes_east = city.groups()
    latitude = (int(degrees) + int(minutes) / 60.0) * (1 if north == "+" else -1)
    longitude = (int(degrees_east) + int(minutes_east) / 60.0) * (1 if east == "+" else -1)
    return latitude, longitude
