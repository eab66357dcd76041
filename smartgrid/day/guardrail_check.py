"""Was any guardrail broken? Answered from the ledger and the metered series alone, after the fact.

What the assets injected is read off the meters (native less metered net load), the peaker's part is
replayed from the ledger's setpoints by the machine's own rules, and the battery did the rest. So neither
the executor's word nor the devices' own counters are taken for granted. Where the meters are silent, the
battery is taken to have followed its setpoint.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import groupby

from sqlalchemy import select

from dispatch.ledger import Ledger
from dispatch.receipts import Dispatch, Setpoints, history
from dispatch.schema import approvals, proposals
from grid.assets import BatteryState, PeakerState
from grid.telemetry import AREA_SITE, NATIVE_SITE
from grid.units import SECONDS_PER_HOUR
from pipeline.store import SeriesReader
from policies.limits import PlantLimits

TOLERANCE = 1e-6
"""Relative to the rated power, or the capacity: what rounding of kW readings can leave."""


@dataclass(frozen=True, slots=True)
class _Injection:
    """What one pulse shows: its interval and the power of both assets together, None where unmeasured."""

    start: datetime
    duration_s: float
    injected_kw: float | None


def violations_of(
    ledger: Ledger,
    reader: SeriesReader,
    limits: PlantLimits,
    *,
    start: datetime,
    end: datetime,
    tz: tzinfo,
) -> tuple[str, ...]:
    """Every breach between ``start`` and ``end``, in words; empty when there is none.

    Args:
        ledger: dispatches, proposals and approvals.
        reader: the metered series.
        limits: of the plant.
        start: the assets stand at their initial state then.
        end: of the span.
        tz: of the local day, for daily limits.
    """
    with ledger.reading() as connection:
        dispatches = history(connection, start, end)
    pulses = _injections(reader, limits, start, end)
    return (
        *_setpoint_breaches(dispatches, limits),
        *_metered_breaches(pulses, dispatches, limits, tz),
        *_unapproved_starts(ledger, dispatches, limits, start),
        *_rate_breaches(ledger, limits, start, end),
    )


def _injections(
    reader: SeriesReader, limits: PlantLimits, start: datetime, end: datetime
) -> list[_Injection]:
    metered = {pulse.ts_utc: pulse.net_load_kw for pulse in reader.telemetry(AREA_SITE, start, end)}
    cadence = timedelta(seconds=limits.scale.cadence_s)
    found: list[_Injection] = []
    now = start
    for pulse in reader.telemetry(NATIVE_SITE, start, end):
        found += _unmeasured(now, pulse.ts_utc, cadence)
        native_kw, reads_kw = pulse.net_load_kw, metered.get(pulse.ts_utc)
        injected_kw = None if native_kw is None or reads_kw is None else native_kw - reads_kw
        found.append(_Injection(pulse.ts_utc, cadence.total_seconds(), injected_kw))
        now = pulse.ts_utc + cadence
    return found + list(_unmeasured(now, end, cadence))


def _unmeasured(start: datetime, end: datetime, cadence: timedelta) -> Iterator[_Injection]:
    """The time between two pulses where the meters are silent."""
    while start < end:
        step = min(cadence, end - start)
        yield _Injection(start, step.total_seconds(), None)
        start += step


def _setpoint_breaches(dispatches: Sequence[Dispatch], limits: PlantLimits) -> Iterator[str]:
    battery, peaker = limits.battery, limits.peaker
    for dispatch in dispatches:
        battery_kw, peaker_kw = dispatch.setpoints.battery_kw, dispatch.setpoints.peaker_kw
        if abs(battery_kw) > battery.power_kw * (1 + TOLERANCE):
            rated = f"rated {battery.power_kw:.1f}"
            yield f"dispatch {dispatch.dispatch_id}: battery at {battery_kw:.1f} kW, {rated}"
        runs = peaker.min_power_kw * (1 - TOLERANCE) <= peaker_kw <= peaker.power_kw * (1 + TOLERANCE)
        if peaker_kw != 0 and not runs:
            yield (
                f"dispatch {dispatch.dispatch_id}: peaker at {peaker_kw:.1f} kW, runs from "
                f"{peaker.min_power_kw:.1f} to {peaker.power_kw:.1f}"
            )


def _metered_breaches(
    pulses: Sequence[_Injection], dispatches: Sequence[Dispatch], limits: PlantLimits, tz: tzinfo
) -> Iterator[str]:
    """Replays both assets pulse by pulse against their limits."""
    battery, peaker = limits.battery.initial_state(), PeakerState()
    discharged_before_kwh, starts_before, day = 0.0, 0, None
    for pulse in pulses:
        today = pulse.start.astimezone(tz).date()
        if today != day:
            discharged_before_kwh, starts_before, day = battery.cell_discharged_kwh, peaker.starts, today
        was_up = peaker
        peaker = peaker.step(limits.peaker, _asked(dispatches, pulse.start).peaker_kw, pulse.duration_s)
        if was_up.on and not peaker.on and was_up.must_run(limits.peaker):
            yield f"{pulse.start}: peaker stopped after {was_up.in_state_s:.0f} s"
        if peaker.starts - starts_before > limits.peaker.max_starts_per_day:
            yield f"{pulse.start}: {peaker.starts - starts_before} peaker starts today"
        if pulse.injected_kw is None:
            asked_kw = _asked(dispatches, pulse.start).battery_kw
            battery = battery.step(limits.battery, asked_kw, pulse.duration_s)
            continue
        battery_kw = pulse.injected_kw - peaker.power_kw
        yield from _battery_breaches(battery, battery_kw, pulse, limits)
        battery = _follow(battery, battery_kw, pulse.duration_s, limits)
        cycles = (battery.cell_discharged_kwh - discharged_before_kwh) / limits.battery.energy_kwh
        if cycles > limits.battery.max_cycles_per_day * (1 + TOLERANCE):
            yield f"{pulse.start}: {cycles:.4f} battery cycles today"


def _battery_breaches(
    battery: BatteryState, battery_kw: float, pulse: _Injection, limits: PlantLimits
) -> Iterator[str]:
    spec = limits.battery
    slack_kw = TOLERANCE * spec.power_kw
    if abs(battery_kw) > spec.power_kw + slack_kw:
        yield f"{pulse.start}: the meters show {battery_kw:.1f} kW of the battery, rated {spec.power_kw:.1f}"
    if abs(battery_kw - battery.power_kw) > spec.ramp_kw_per_s * pulse.duration_s + slack_kw:
        yield f"{pulse.start}: battery ramped from {battery.power_kw:.1f} to {battery_kw:.1f} kW"
    after = _follow(battery, battery_kw, pulse.duration_s, limits).soc_kwh
    slack_kwh = TOLERANCE * spec.energy_kwh
    low_kwh, high_kwh = spec.soc_min * spec.energy_kwh - slack_kwh, spec.soc_max * spec.energy_kwh + slack_kwh
    if not low_kwh <= after <= high_kwh:
        yield f"{pulse.start}: {after:.1f} kWh stored, {low_kwh:.1f} to {high_kwh:.1f} allowed"


def _follow(battery: BatteryState, battery_kw: float, duration_s: float, limits: PlantLimits) -> BatteryState:
    """The battery's state after what the meters saw, whatever its limits say."""
    eta = limits.battery.one_way_efficiency
    meter_kwh = battery_kw * duration_s / SECONDS_PER_HOUR
    cell_kwh = meter_kwh / eta if meter_kwh > 0 else meter_kwh * eta
    return BatteryState(
        soc_kwh=battery.soc_kwh - cell_kwh,
        power_kw=battery_kw,
        cell_discharged_kwh=battery.cell_discharged_kwh + max(0.0, cell_kwh),
    )


def _asked(dispatches: Sequence[Dispatch], at: datetime) -> Setpoints:
    """What the ledger asked of the assets at a moment; to stand still before the first dispatch."""
    place = bisect_right(dispatches, at, key=lambda dispatch: dispatch.at)
    return dispatches[place - 1].setpoints if place else Setpoints(0.0, 0.0)


def _unapproved_starts(
    ledger: Ledger, dispatches: Sequence[Dispatch], limits: PlantLimits, start: datetime
) -> Iterator[str]:
    """Starts of the peaker that no consumed approval stands behind, where the limits ask for one."""
    if not limits.approval_peaker_start:
        return
    with ledger.reading() as connection:
        rows = connection.execute(
            select(proposals.c.id, proposals.c.starts_at, proposals.c.ends_at)
            .join(approvals, approvals.c.id == proposals.c.approval_id)
            .where(proposals.c.asset == "peaker", approvals.c.state == "CONSUMED")
        )
        approved = {str(row.id) for row in rows}
    runs = groupby(dispatches, key=lambda dispatch: dispatch.setpoints.peaker_kw > 0)
    for running, group in runs:
        first = next(group)
        if running and first.at >= start and not approved & set(first.setpoints.peaker_proposals):
            yield f"dispatch {first.dispatch_id}: the peaker was started without an approval"


def _rate_breaches(ledger: Ledger, limits: PlantLimits, start: datetime, end: datetime) -> Iterator[str]:
    """More accepted proposals of one requester in an hour than the limits allow."""
    with ledger.reading() as connection:
        rows = connection.execute(
            select(proposals.c.requester, proposals.c.starts_at)
            .where(proposals.c.starts_at >= start, proposals.c.starts_at < end)
            .order_by(proposals.c.requester, proposals.c.starts_at)
        ).all()
    most = limits.max_actions_per_hour
    for requester, group in groupby(rows, key=lambda row: row.requester):
        times = [row.starts_at for row in group]
        for first, last in zip(times, times[most:], strict=False):
            if last - first < timedelta(hours=1):
                yield f"{requester}: more than {most} proposals within an hour from {first}"
                break
