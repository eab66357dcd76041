"""After the day: its accounts, and all that the store and the ledger tell about it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
from sqlalchemy import select

from dispatch.approvals import Approvals
from dispatch.ledger import Ledger
from dispatch.schema import proposals
from grid.accounts import DayAccounts, DayInput, settle_no_action, settle_run
from grid.clock import SimulatedClock
from grid.perfect_foresight import PerfectForesight
from grid.telemetry import AREA_SITE, NATIVE_SITE
from pipeline.forecast import Forecast
from pipeline.instability import InstabilityEvent
from pipeline.store import SeriesReader
from smartgrid.day.guardrail_check import violations_of
from smartgrid.day.preparation import PreparedDay
from smartgrid.day.recording import AssetRecording
from smartgrid.day.result import ApprovalRecord, DayResult, DaySeries, DispatchRecord, FloatArray
from tools.intervals import interval_start


def review_day(
    day: PreparedDay,
    accounts_input: DayInput,
    perfect: PerfectForesight,
    recording: AssetRecording,
    *,
    ledger: Ledger,
    reader: SeriesReader,
    pulses: int,
    operator: str,
) -> DayResult:
    """The result of a day that has been run.

    Raises:
        AccountsError: if our cost were below perfect foresight's bound.
    """
    scenario, limits = day.scenario, day.knowledge.area.limits
    ours = settle_run(
        accounts_input, recording.battery_kw(), recording.peaker_kw(), limits.battery, limits.peaker
    )
    return DayResult(
        name=scenario.name,
        tz=scenario.tz.key,
        source=scenario.source,
        seed=scenario.seed,
        currency=day.knowledge.area.currency,
        price_source=scenario.series.price_source,
        price_seed=day.price_seed,
        cadence_s=scenario.series.cadence_s,
        interval_s=day.interval.total_seconds(),
        battery_energy_kwh=limits.battery.energy_kwh,
        battery_cycles=ours.battery_cycles,
        ramp_limit_kw=limits.ramp_limit_kw,
        series=_series(day, accounts_input, recording, reader),
        accounts=DayAccounts(settle_no_action(accounts_input), ours, perfect.accounts, perfect.bound_usd),
        last_forecast=reader.latest_forecast(NATIVE_SITE),
        dispatches=_dispatches(ledger),
        approvals=_approvals(ledger, scenario.end),
        events=_events(reader, scenario.start),
        violations=violations_of(
            ledger, reader, limits, start=scenario.start, end=scenario.end, tz=scenario.tz
        ),
        pulses=pulses,
        operator=operator,
        notes=scenario.notes,
    )


def _series(
    day: PreparedDay, accounts_input: DayInput, recording: AssetRecording, reader: SeriesReader
) -> DaySeries:
    times, interval = recording.times(), day.interval
    start, end = day.scenario.start, day.scenario.end
    metered = _means(
        [(pulse.ts_utc, pulse.net_load_kw) for pulse in reader.telemetry(AREA_SITE, start, end)],
        times,
        interval,
    )
    quotes = {quote.ts_utc: quote for quote in reader.quotes(AREA_SITE, start, end)}
    quoted = [quotes.get(at) for at in times]
    bands = _bands(reader.forecasts(NATIVE_SITE, start - timedelta(hours=1), end), times, interval)
    return DaySeries(
        times=times,
        native_kw=accounts_input.native_kw,
        metered_kw=metered,
        battery_kw=recording.battery_kw(),
        peaker_kw=recording.peaker_kw(),
        soc_kwh=recording.soc_kwh(),
        price_usd_per_mwh=accounts_input.price_usd_per_mwh,
        da_price_usd_per_mwh=_floats(
            [None if quote is None else quote.da_price_usd_per_mwh for quote in quoted]
        ),
        p10_kw=bands[0],
        p50_kw=bands[1],
        p90_kw=bands[2],
    )


def _bands(
    forecasts: Sequence[Forecast], times: Sequence[datetime], interval: timedelta
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Mean level forecasts for each interval, by the time that they were made for."""

    def of(name: str) -> FloatArray:
        return _means(
            [(made.target_at, made.net_load_kw + getattr(made, name)) for made in forecasts], times, interval
        )

    return of("p10_kw"), of("p50_kw"), of("p90_kw")


def _means(
    values: Sequence[tuple[datetime, float | None]], times: Sequence[datetime], interval: timedelta
) -> FloatArray:
    """Means by interval; NaN where nothing is known."""
    length_s = interval.total_seconds()
    starts = [interval_start(at, length_s) for at, _ in values]
    known = pd.Series(_floats([value for _, value in values]), index=starts, dtype=np.float64).dropna()
    return np.asarray(known.groupby(level=0).mean().reindex(list(times)), dtype=np.float64)


def _floats(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _dispatches(ledger: Ledger) -> tuple[DispatchRecord, ...]:
    with ledger.reading() as connection:
        rows = connection.execute(select(proposals).order_by(proposals.c.id))
        return tuple(
            DispatchRecord(
                at=row.starts_at,
                requester=row.requester,
                asset=row.asset,
                power_kw=row.power_kw,
                duration_s=(row.ends_at - row.starts_at).total_seconds(),
                status="accepted",
                reason=row.reason,
                event_id=row.event_id,
                rules=tuple(finding["rule"] for finding in row.findings),
            )
            for row in rows
        )


def _approvals(ledger: Ledger, now: datetime) -> tuple[ApprovalRecord, ...]:
    desk = Approvals(ledger, SimulatedClock(now), require_two_people=False)
    return tuple(
        ApprovalRecord(
            requested_at=asked.created_at,
            decided_at=asked.decided_at,
            requester=asked.requester,
            approver=asked.decided_by,
            state=asked.state,
            reason=asked.reason,
        )
        for asked in desk.list()
    )


def _events(reader: SeriesReader, since: datetime) -> tuple[InstabilityEvent, ...]:
    found = [event for site in (AREA_SITE, NATIVE_SITE) for event in reader.events(site, since)]
    return tuple(sorted(found, key=lambda event: (event.started_at, event.site)))
