"""The series as InfluxDB points: lines of its protocol out, rows of its CSV back, exactly.

Invariants:
    A point is known by its measurement, tags and time (in µs); writing it again replaces it.
    Floats travel as their shortest decimal that reads back to the same bits.
    InfluxDB merges the fields of what is written to one point. ``present`` (bit i: the i-th value
    that may be missing is there) is written with each, so that the point is the newest version
    alone and what is missing there stays missing; it also lets a pulse without any value exist.
    A query may meet a point of which the server has taken some fields so far: it is not whole.
    Names hold no control characters, quotes, backslashes or percent signs: these are
    percent-encoded, so any name reads back as it was and none can end a line or a text early.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite, isnan
from typing import Final, cast
from urllib.parse import quote, unquote

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry
from pipeline.errors import StoreError
from pipeline.forecast import Forecast
from pipeline.instability import EventKind, InstabilityEvent, Severity
from pipeline.store import SlotSum
from pipeline.timestamps import from_micros, to_micros
from pipeline.verdict import Verdict

TELEMETRY: Final = "telemetry"
FORECASTS: Final = "forecasts"
EVENTS: Final = "events"
QUOTES: Final = "quotes"
DISPATCHES: Final = "dispatches"
TRADES: Final = "trades"
SLOTS: Final = "slots"
VERDICTS: Final = "verdicts"
PRESENT: Final = "present"

EARLIEST: Final = datetime(1678, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2262, 1, 1, tzinfo=UTC)
"""InfluxDB counts nanoseconds in 64 bits; whole years within them."""

CHANNELS: Final = (
    "load_kw",
    "solar_kw",
    "wind_kw",
    "net_load_kw",
    "price_usd_per_mwh",
    "da_price_usd_per_mwh",
    "frequency_hz",
)
_PRICES: Final = ("price_usd_per_mwh", "da_price_usd_per_mwh")
_ENDING: Final = ("ended_at_us", "cause_kw")
_BEHALF: Final = ("dispatch_id", "proposal_id", "requester", "event_id")
_WORTH: Final = ("price_usd_per_mwh", "value_usd")
_BAND: Final = ("net_load_kw", "p10_kw", "p50_kw", "p90_kw")
_DONE: Final = ("duration_s", "power_kw", "setpoint_kw")
_FOUND: Final = ("score", "trust", "channel", "kind", "since_us", "substitute_kw")
_TRADED: Final = ("duration_s", "energy_kwh")
_FIELDS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    TELEMETRY: ((), CHANNELS),
    FORECASTS: ((*_BAND, "model"), ()),
    EVENTS: (("event_id", "kind", "severity"), _ENDING),
    QUOTES: (("interval_s",), _PRICES),
    DISPATCHES: (_DONE, _BEHALF),
    TRADES: (_TRADED, _WORTH),
    SLOTS: (("quanta", "count"), ()),
    VERDICTS: (("alarm",), _FOUND),
}
"""By measurement, the fields that every point has, and those that ``present`` tells of."""
_ENCODED: Final = re.compile(r'[%"\\\x00-\x1f\x7f-\x9f]')
_EMPTY: Final = "%"
"""No other text is stored as this. Beside an empty text, Flux's pivot gives other rows' texts at random."""
_TAG_SPECIALS: Final = str.maketrans({" ": r"\ ", ",": r"\,", "=": r"\="})
_KNOWN_NAMES: Final = 200_000

Row = Mapping[str, str]
"""A point by column name, as the CSV has it."""


@lru_cache(maxsize=_KNOWN_NAMES)
def stored_name(text: str) -> str:
    """A name as it stands in the database."""
    return _ENCODED.sub(lambda found: quote(found[0], safe=""), text) or _EMPTY


def original_name(stored: str) -> str:
    """The name that was stored."""
    return "" if stored == _EMPTY else unquote(stored)


# -- lines out --------------------------------------------------------------------------------


def telemetry_line(pulse: Telemetry) -> str:
    """The line of a pulse.

    Raises:
        StoreError: if a value is infinite, the site has no name or the time cannot be stored.
    """
    values = (
        pulse.load_kw,
        pulse.solar_kw,
        pulse.wind_kw,
        pulse.net_load_kw,
        pulse.price_usd_per_mwh,
        pulse.da_price_usd_per_mwh,
        pulse.frequency_hz,
    )
    fields = _optional(CHANNELS, [_maybe(name, value) for name, value in zip(CHANNELS, values, strict=True)])
    return f"{TELEMETRY},{_site(pulse.site)} {fields} {_time('ts_utc', pulse.ts_utc)}"


def forecast_line(forecast: Forecast) -> str:
    """The line of a forecast; the horizon is a tag, so that one issue can have several.

    Raises:
        StoreError: if a value is missing or not finite, or a time cannot be stored.
    """
    numbers = _numbers(forecast, _BAND)
    issued_at = _time("issued_at", forecast.issued_at)
    horizon_us = _time("target_at", forecast.target_at) - issued_at
    tags = f"{FORECASTS},horizon_us={horizon_us},{_site(forecast.site)}"
    return f"{tags} {numbers},{_text('model', forecast.model)} {issued_at}"


def event_line(event: InstabilityEvent) -> str:
    """The line of an instability event; site and start are its identity, and its id follows from them.

    Raises:
        StoreError: if the cause is infinite or a time cannot be stored.
    """
    ended_at = None if event.ended_at is None else f"{_time('ended_at', event.ended_at)}i"
    ending = _optional(_ENDING, [ended_at, _maybe("cause_kw", event.cause_kw)])
    texts = ",".join(_text(name, getattr(event, name)) for name in ("event_id", "kind", "severity"))
    return f"{EVENTS},{_site(event.site)} {texts},{ending} {_time('started_at', event.started_at)}"


def quote_line(price: PriceQuote) -> str:
    """The line of a price quote.

    Raises:
        StoreError: if a value is infinite or the time cannot be stored.
    """
    prices = _optional(_PRICES, [_maybe(name, getattr(price, name)) for name in _PRICES])
    fields = f"interval_s={_number('interval_s', price.interval_s)},{prices}"
    return f"{QUOTES},{_site(price.site)} {fields} {_time('ts_utc', price.ts_utc)}"


def dispatch_line(done: AssetDispatch) -> str:
    """The line of a dispatch.

    Raises:
        StoreError: if a number is not finite, a name is empty or the time cannot be stored.
    """
    numbers = _numbers(done, _DONE)
    texts = [None if (text := getattr(done, name)) is None else _quoted(text) for name in _BEHALF]
    return f"{_of_asset(DISPATCHES, done)} {numbers},{_optional(_BEHALF, texts)} {_time('start', done.start)}"


def trade_line(trade: EnergyTrade) -> str:
    """The line of a trade.

    Raises:
        StoreError: as :func:`dispatch_line`.
    """
    numbers = _numbers(trade, _TRADED)
    worth = _optional(_WORTH, [_maybe(name, getattr(trade, name)) for name in _WORTH])
    return f"{_of_asset(TRADES, trade)} {numbers},{worth} {_time('start', trade.start)}"


def slot_line(slot: SlotSum) -> str:
    """The line of a slot.

    Raises:
        StoreError: if the site has no name or the time cannot be stored.
    """
    fields = f"quanta={slot.quanta}i,count={slot.count}i"
    return f"{SLOTS},{_site(slot.site)} {fields} {_time('start', slot.start)}"


def verdict_line(verdict: Verdict) -> str:
    """The line of a verdict.

    Raises:
        StoreError: if a number is infinite, the site has no name or a time cannot be stored.
    """
    since = None if verdict.since is None else f"{_time('since', verdict.since)}i"
    numbers = [_maybe(name, getattr(verdict, name)) for name in ("score", "trust", "substitute_kw")]
    texts = [None if text is None else _quoted(text) for text in (verdict.channel, verdict.kind)]
    found = _optional(_FOUND, [*numbers[:2], *texts, since, numbers[2]])
    fields = f"alarm={int(verdict.alarm)}i,{found}"
    return f"{VERDICTS},{_site(verdict.site)} {fields} {_time('ts_utc', verdict.ts_utc)}"


def _of_asset(measurement: str, span: AssetDispatch | EnergyTrade) -> str:
    return f"{measurement},{_tag('asset', span.asset)},{_site(span.site)}"


def _numbers(item: object, names: Sequence[str]) -> str:
    return ",".join(f"{name}={_number(name, getattr(item, name))}" for name in names)


def _optional(names: Sequence[str], texts: Sequence[str | None]) -> str:
    present = sum(1 << bit for bit, text in enumerate(texts) if text is not None)
    fields = [f"{name}={text}" for name, text in zip(names, texts, strict=True) if text is not None]
    return ",".join([*fields, f"{PRESENT}={present}i"])


def _maybe(name: str, value: float | None) -> str | None:
    """A number's text; None for what is missing (None or NaN)."""
    return None if value is None or isnan(value) else _number(name, value)


def _number(name: str, value: float | None) -> str:
    if value is None or not isfinite(value):
        raise StoreError(f"{name}={value}: a finite number is needed here; leave the point out")
    return repr(float(value))


def _text(name: str, text: str) -> str:
    return f"{name}={_quoted(text)}"


def _quoted(text: str) -> str:
    return f'"{stored_name(text)}"'


def _site(site: str) -> str:
    return _tag("site", site)


def _tag(name: str, text: str) -> str:
    if not text:
        raise StoreError(f"{name}: empty; give it a name")
    return f"{name}={stored_name(text).translate(_TAG_SPECIALS)}"


def _time(name: str, moment: datetime) -> int:
    if not EARLIEST <= moment < LATEST:
        years = f"{EARLIEST.year} to {LATEST.year - 1}"
        raise StoreError(f"{name}={moment.isoformat()}: InfluxDB keeps the years {years}; correct the time")
    return to_micros(moment)


# -- rows back --------------------------------------------------------------------------------


def time_of(row: Row) -> datetime:
    """The point's time."""
    return datetime.fromisoformat(row["_time"])


def telemetry_of(site: str, row: Row) -> Telemetry:
    """The pulse of a row."""
    return Telemetry(site, time_of(row), *_floats(CHANNELS, row))


def forecast_of(site: str, row: Row) -> Forecast:
    """The forecast of a row."""
    issued_at = time_of(row)
    target_at = from_micros(to_micros(issued_at) + int(row["horizon_us"]))
    band = (float(row["p10_kw"]), float(row["p50_kw"]), float(row["p90_kw"]))
    return Forecast(site, issued_at, target_at, float(row["net_load_kw"]), *band, original_name(row["model"]))


def event_of(site: str, row: Row) -> InstabilityEvent:
    """The event of a row."""
    ended_at_us, cause_kw = _given(_ENDING, row)
    return InstabilityEvent(
        event_id=original_name(row["event_id"]),
        site=site,
        kind=cast(EventKind, original_name(row["kind"])),
        started_at=time_of(row),
        ended_at=None if ended_at_us is None else from_micros(int(ended_at_us)),
        severity=cast(Severity, original_name(row["severity"])),
        cause_kw=None if cause_kw is None else float(cause_kw),
    )


def quote_of(site: str, row: Row) -> PriceQuote:
    """The quote of a row."""
    return PriceQuote(site, time_of(row), float(row["interval_s"]), *_floats(_PRICES, row))


def dispatch_of(site: str, row: Row) -> AssetDispatch:
    """The dispatch of a row."""
    numbers = (float(row["duration_s"]), float(row["power_kw"]), float(row["setpoint_kw"]))
    behalf = [None if text is None else original_name(text) for text in _given(_BEHALF, row)]
    return AssetDispatch(site, original_name(row["asset"]), time_of(row), *numbers, *behalf)


def trade_of(site: str, row: Row) -> EnergyTrade:
    """The trade of a row."""
    numbers = (float(row["duration_s"]), float(row["energy_kwh"]))
    return EnergyTrade(site, original_name(row["asset"]), time_of(row), *numbers, *_floats(_WORTH, row))


def slot_of(site: str, row: Row) -> SlotSum:
    """The slot of a row."""
    return SlotSum(site, time_of(row), int(row["quanta"]), int(row["count"]))


def verdict_of(site: str, row: Row) -> Verdict:
    """The verdict of a row."""
    score, trust, channel, kind, since_us, substitute_kw = _given(_FOUND, row)
    return Verdict(
        site,
        time_of(row),
        row["alarm"] == "1",
        None if score is None else float(score),
        None if trust is None else float(trust),
        None if channel is None else original_name(channel),
        None if kind is None else original_name(kind),
        None if since_us is None else from_micros(int(since_us)),
        None if substitute_kw is None else float(substitute_kw),
    )


def is_whole(measurement: str, row: Row) -> bool:
    """Whether all fields of the point are there; those of one that is being written may not be yet."""
    always, optional = _FIELDS[measurement]
    if not optional:
        return all(row.get(name) for name in always)
    if not row.get(PRESENT):
        return False
    given = [name for bit, name in enumerate(optional) if int(row[PRESENT]) >> bit & 1]
    return all(row.get(name) for name in (*always, *given))


def site_of(row: Row) -> str:
    """The site of a row that was read for many."""
    return original_name(row["site"])


def _given(names: Sequence[str], row: Row) -> list[str | None]:
    present = int(row[PRESENT])
    return [row[name] if present >> bit & 1 else None for bit, name in enumerate(names)]


def _floats(names: Sequence[str], row: Row) -> list[float | None]:
    return [None if text is None else float(text) for text in _given(names, row)]
