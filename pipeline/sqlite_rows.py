"""The series as rows of the SQLite store, in the order of its columns, and back."""

from functools import lru_cache
from typing import Any

from grid.market import PriceQuote
from grid.settled import AssetDispatch, EnergyTrade
from grid.telemetry import Telemetry
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.store import SlotSum
from pipeline.timestamps import from_micros, to_micros
from pipeline.verdict import Verdict

Row = tuple[Any, ...]
"""A row as sqlite3 hands it out; the functions below give it its types back."""
REMEMBERED = 8192
"""Rows whose values are kept: each tick reads the last hours again, and making them anew took longest."""


@lru_cache(maxsize=REMEMBERED)
def telemetry_of(row: Row) -> Telemetry:
    """The pulse of a row."""
    return Telemetry(row[0], from_micros(row[1]), *row[2:])


def telemetry_row(pulse: Telemetry) -> Row:
    """The row of a pulse."""
    return (
        pulse.site,
        to_micros(pulse.ts_utc),
        pulse.load_kw,
        pulse.solar_kw,
        pulse.wind_kw,
        pulse.net_load_kw,
        pulse.price_usd_per_mwh,
        pulse.da_price_usd_per_mwh,
        pulse.frequency_hz,
    )


def forecast_of(row: Row) -> Forecast:
    """The forecast of a row."""
    return Forecast(row[0], from_micros(row[1]), from_micros(row[2]), *row[3:])


def forecast_row(forecast: Forecast) -> Row:
    """The row of a forecast."""
    issued_at, target_at = to_micros(forecast.issued_at), to_micros(forecast.target_at)
    band = (forecast.p10_kw, forecast.p50_kw, forecast.p90_kw)
    return (forecast.site, issued_at, target_at, forecast.net_load_kw, *band, forecast.model)


def event_of(row: Row) -> InstabilityEvent:
    """The event of a row."""
    site, started_at, event_id, kind, ended_at, severity, cause_kw = row
    return InstabilityEvent(
        event_id=event_id,
        site=site,
        kind=kind,
        started_at=from_micros(started_at),
        ended_at=None if ended_at is None else from_micros(ended_at),
        severity=severity,
        cause_kw=cause_kw,
    )


def event_row(event: InstabilityEvent) -> Row:
    """The row of an event."""
    started_at = to_micros(event.started_at)
    ended_at = None if event.ended_at is None else to_micros(event.ended_at)
    return (event.site, started_at, event.event_id, event.kind, ended_at, event.severity, event.cause_kw)


@lru_cache(maxsize=REMEMBERED)
def quote_of(row: Row) -> PriceQuote:
    """The quote of a row."""
    return PriceQuote(row[0], from_micros(row[1]), *row[2:])


def quote_row(quote: PriceQuote) -> Row:
    """The row of a quote."""
    prices = (quote.price_usd_per_mwh, quote.da_price_usd_per_mwh)
    return (quote.site, to_micros(quote.ts_utc), quote.interval_s, *prices)


def dispatch_of(row: Row) -> AssetDispatch:
    """The dispatch of a row."""
    site, start, asset, *rest = row
    return AssetDispatch(site, asset, from_micros(start), *rest)


def dispatch_row(done: AssetDispatch) -> Row:
    """The row of a dispatch."""
    return (
        done.site,
        to_micros(done.start),
        done.asset,
        done.duration_s,
        done.power_kw,
        done.setpoint_kw,
        done.dispatch_id,
        done.proposal_id,
        done.requester,
        done.event_id,
    )


def trade_of(row: Row) -> EnergyTrade:
    """The trade of a row."""
    site, start, asset, *rest = row
    return EnergyTrade(site, asset, from_micros(start), *rest)


def trade_row(trade: EnergyTrade) -> Row:
    """The row of a trade."""
    key = (trade.site, to_micros(trade.start), trade.asset)
    return (*key, trade.duration_s, trade.energy_kwh, trade.price_usd_per_mwh, trade.value_usd)


def slot_of(row: Row) -> SlotSum:
    """The slot of a row."""
    return SlotSum(row[0], from_micros(row[1]), *row[2:])


def slot_row(slot: SlotSum) -> Row:
    """The row of a slot."""
    return (slot.site, to_micros(slot.start), slot.quanta, slot.count)


def verdict_of(row: Row) -> Verdict:
    """The verdict of a row."""
    site, ts, alarm, score, trust, channel, kind, since, substitute_kw = row
    return Verdict(
        site,
        from_micros(ts),
        bool(alarm),
        score,
        trust,
        channel,
        kind,
        None if since is None else from_micros(since),
        substitute_kw,
    )


def verdict_row(verdict: Verdict) -> Row:
    """The row of a verdict."""
    since = None if verdict.since is None else to_micros(verdict.since)
    found = (verdict.alarm, verdict.score, verdict.trust, verdict.channel, verdict.kind)
    return (verdict.site, to_micros(verdict.ts_utc), *found, since, verdict.substitute_kw)
