"""How values are put into words: figures with their unit, ages, and times in the operator's zone."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from operator_console.viewpoint import Age

MISSING = "–"


def figure(value: float | None, unit: str = "", digits: int = 0, *, sign: bool = False) -> str:
    """A number with its unit; a dash where there is none."""
    if value is None:
        return MISSING
    text = f"{value:{'+' if sign else ''},.{digits}f}".replace("-", "−")
    if text.strip("+−0.,") == "":
        text = text.lstrip("+−")
    return f"{text} {unit}".rstrip()


def span(seconds: float) -> str:
    """A duration, as coarse as it is long."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:.0f} days"


def left(seconds: float) -> str:
    """A time left, to the second."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{whole % 60:02d} min"


def old(age: Age) -> str:
    """How old something is."""
    if age.age_s is None:
        return "never received"
    return f"stale: {span(age.age_s)} old" if age.stale else f"{span(age.age_s)} old"


def flow(power_kw: float | None, into: str, out: str) -> str:
    """What an asset does, by the sign of its power: positive injects into the grid."""
    if power_kw is None:
        return ""
    if abs(power_kw) < 0.05:
        return "at rest"
    return out if power_kw > 0 else into


@dataclass(frozen=True, slots=True)
class LocalTime:
    """Times in one zone, as seen at one moment.

    A time whose offset is not that of the moment carries the name of its own, so that the hour that
    comes twice when summer time ends is told apart.
    """

    zone: tzinfo
    now: datetime

    def clock(self) -> str:
        """Now, with the zone's name."""
        local = self.now.astimezone(self.zone)
        return f"{local:%a %d %b %Y %H:%M:%S} {local.tzname()}"

    def day(self) -> tuple[date, timedelta | None]:
        """What the words for past moments depend on beside themselves: the date and the offset now."""
        local = self.now.astimezone(self.zone)
        return local.date(), local.utcoffset()

    def at(self, moment: datetime | None, *, seconds: bool = True) -> str:
        """A moment: the time alone today, with its date on another day."""
        if moment is None:
            return MISSING
        local, now = moment.astimezone(self.zone), self.now.astimezone(self.zone)
        text = f"{local:%H:%M:%S}" if seconds else f"{local:%H:%M}"
        if local.date() != now.date():
            text = f"{local:%d %b}{f' {local:%Y}' if local.year != now.year else ''} {text}"
        return text if local.utcoffset() == now.utcoffset() else f"{text} {local.tzname()}"


def zone_named(name: str, fallback: str) -> ZoneInfo:
    """The zone of a browser; the area's where the browser names none that is known."""
    try:
        return ZoneInfo(name or fallback)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo(fallback)
