"""Which column of a CSV is which channel, and in which unit: by its name, or by ``--map``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grid.csv_report import listing, shown
from grid.errors import CsvError
from grid.units import KW_PER_MW, KW_PER_W

TIME_COLUMNS = ("ts_utc", "timestamp")
NAMES: dict[str, tuple[str, ...]] = {
    "load": ("load", "demand", "operational_demand", "total_gen"),
    "solar": ("solar", "pv"),
    "wind": ("wind",),
    "net_load": ("net_load", "residual_load", "site_net"),
    "price": ("price", "rt", "rrp"),
    "da_price": ("da_price", "da"),
    "frequency_hz": ("frequency",),
}
"""Channel → names, without the unit, by which a column claims it."""
PRICES = ("price", "da_price")

SCALES = {"w": KW_PER_W, "kw": 1.0, "mw": KW_PER_MW}
"""Unit of power → kW."""
UNIT_SUFFIX = re.compile(r"(?P<stem>.+)_(?P<unit>w|kw|mw|hz|[a-z]{3}_per_mwh)")
UNREAD_SUFFIX = re.compile(r"(?P<stem>.+?)_(?:gw|(?:[a-z]{2,5}_)?(?:per_)?[kmg]?wh)")
"""Units that look like one of ours and are not: energies, and prices by another measure."""


@dataclass(frozen=True)
class Column:
    """A column that feeds a channel.

    Attributes:
        channel: one of :data:`NAMES`.
        name: as the header writes it.
        unit: the name's suffix: ``w``, ``kw``, ``mw``, ``hz`` or ``<currency>_per_mwh``.
        position: in the header, from 0.
    """

    channel: str
    name: str
    unit: str
    position: int

    @property
    def scale(self) -> float:
        """Factor from the column's unit to ours."""
        return SCALES.get(self.unit, 1.0)

    @property
    def currency(self) -> str | None:
        """Of a price, e.g. ``USD``."""
        return self.unit[:3].upper() if self.channel in PRICES else None

    @property
    def series_column(self) -> str:
        """Name of the channel in :class:`grid.series.BaseSeries`."""
        if self.channel in PRICES:
            return f"{self.channel}_usd_per_mwh"
        return self.channel if self.channel == "frequency_hz" else f"{self.channel}_kw"


def parse_mapping(options: Sequence[str]) -> dict[str, str]:
    """Turn repeated ``--map CHANNEL=COLUMN`` texts into channel → column.

    Raises:
        CsvError: if one is not of that form, or names a channel that is unknown or named before.
    """
    mapping: dict[str, str] = {}
    for option in options:
        channel, equals, column = (part.strip() for part in option.partition("="))
        if not (channel and equals and column):
            raise CsvError(f"--map {shown(option)} is not CHANNEL=COLUMN; write it like load=total_gen_mw")
        if channel in mapping:
            raise CsvError(f"--map names {channel} twice ({mapping[channel]}, {column}); keep one")
        mapping[channel] = column
    require_mapping(mapping)
    return mapping


def require_mapping(mapping: Mapping[str, str]) -> None:
    """Check a mapping before any file is looked at.

    Raises:
        CsvError: if it names an unknown channel, or gives one column to two channels of power,
            so that net load would count it twice.
    """
    powers: dict[str, str] = {}
    for channel, column in mapping.items():
        if channel not in NAMES:
            raise CsvError(f"--map: no channel {shown(channel)}; the channels are: {', '.join(NAMES)}")
        if channel not in PRICES and (other := powers.setdefault(column, channel)) != channel:
            raise CsvError(f"--map gives {shown(column)} to both {other} and {channel}; keep one")


def find_time_column(header: Sequence[str]) -> int:
    """Position of the time column; ``ts_utc`` comes before ``timestamp``.

    Raises:
        CsvError: if there is none.
    """
    lowered = [name.lower() for name in header]
    for name in TIME_COLUMNS:
        if name in lowered:
            return lowered.index(name)
    raise CsvError(
        f"no time column; name it {' or '.join(TIME_COLUMNS)} (the columns are: {listing(header)})"
    )


def choose_columns(header: Sequence[str], mapping: Mapping[str, str]) -> tuple[Column, ...]:
    """The column of each channel that the file has; ``mapping`` wins over names.

    Raises:
        CsvError: if the mapping names what is not there, several columns claim one channel, a unit
            is missing, two currencies are used, or no column gives net load or a price.
    """
    found = [
        _mapped(header, channel, mapping[channel])
        if channel in mapping
        else _claimed(header, channel, set(mapping.values()))
        for channel in NAMES
    ]
    columns = tuple(column for column in found if column is not None)
    if not {"load", "net_load", *PRICES} & {column.channel for column in columns}:
        raise CsvError(
            "no column gives load, net_load or a price; use e.g. --map load=COLUMN"
            f" (the columns are: {listing(header)})"
        )
    if len({column.currency for column in columns} - {None}) > 1:
        priced = ", ".join(column.name for column in columns if column.currency)
        raise CsvError(
            f"prices in more than one currency ({priced}); one file has one: convert or remove a column"
        )
    return columns


def _mapped(header: Sequence[str], channel: str, name: str) -> Column:
    option = f"--map {channel}={name}"
    if name not in header:
        raise CsvError(f"{option}: no column {shown(name)}; the columns are: {listing(header)}")
    _, unit = _split_unit(name)
    if unit is None or not _fits(channel, unit):
        raise CsvError(
            f"{option}: the column's name must end in the unit ({_wanted(channel)}); rename it in the file"
        )
    return Column(channel, name, unit, header.index(name))


def _claimed(header: Sequence[str], channel: str, taken: set[str]) -> Column | None:
    claims: list[Column] = []
    without_unit: list[str] = []
    for position, name in enumerate(header):
        stem, unit = _split_unit(name)
        if name in taken or stem not in NAMES[channel]:
            continue
        if unit is None:
            without_unit.append(name)
        elif _fits(channel, unit):
            claims.append(Column(channel, name, unit, position))
    if len(claims) > 1:
        names = ", ".join(column.name for column in claims)
        raise CsvError(f"several columns claim {channel} ({names}); choose with --map {channel}=COLUMN")
    if not claims and without_unit:
        raise CsvError(
            f"column {shown(without_unit[0])} names {channel}, but no unit that is read; rename it to end in"
            f" {_wanted(channel)}, or choose another with --map {channel}=COLUMN"
        )
    return claims[0] if claims else None


def _split_unit(name: str) -> tuple[str, str | None]:
    """Name without its unit, and the unit; None where there is none that is read."""
    lowered = name.lower()
    if match := UNIT_SUFFIX.fullmatch(lowered):
        return match["stem"], match["unit"]
    match = UNREAD_SUFFIX.fullmatch(lowered)
    return (match["stem"] if match else lowered), None


def _fits(channel: str, unit: str) -> bool:
    if channel in PRICES:
        return unit.endswith("_per_mwh")
    return unit == "hz" if channel == "frequency_hz" else unit in SCALES


def _wanted(channel: str) -> str:
    if channel in PRICES:
        return "_<currency>_per_mwh, e.g. _usd_per_mwh"
    return "_hz" if channel == "frequency_hz" else "_w, _kw or _mw"
