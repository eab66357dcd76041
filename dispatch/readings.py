"""The latest report of the assets, written by the plant's owner so that every process knows their state.

The devices count since their beginning; what happened on this local day is kept beside it: each report
adds the difference to the one before. A device that starts to count anew counts from zero. What came in
since a report of the day before belongs to the new day unless the clock shows midnight exactly, so the
day's limits are rather met early than passed.
"""

from dataclasses import dataclass
from datetime import datetime, time, tzinfo

from sqlalchemy import Connection, delete, insert, select

from dispatch.schema import asset_readings
from grid.assets import BatteryState, PeakerState
from grid.drivers import AssetReadings
from grid.units import cost_usd
from policies.costs import charging_price_usd_per_mwh
from policies.limits import PlantLimits


@dataclass(frozen=True, slots=True)
class PlantReport:
    """What the assets reported, and what they did since local midnight.

    Attributes:
        readings: of the devices.
        price_usd_per_mwh: real-time price at that moment; None when missing.
        day: the local date, ISO.
        cell_discharged_today_kwh: energy taken from the battery's cells today (counts cycles).
        starts_today: starts of the peaker today.
        spent_today_usd: wear, fuel, starts and energy bought today, before any income.
    """

    readings: AssetReadings
    price_usd_per_mwh: float | None
    day: str
    cell_discharged_today_kwh: float = 0.0
    starts_today: int = 0
    spent_today_usd: float = 0.0

    def on_day(self, day: str) -> "PlantReport":
        """The same report, with counters at zero where ``day`` is another one."""
        return self if day == self.day else PlantReport(self.readings, self.price_usd_per_mwh, day)


def local_day(moment: datetime, zone: tzinfo) -> str:
    """The local date, ISO."""
    return moment.astimezone(zone).date().isoformat()


def next_report(
    last: PlantReport | None,
    readings: AssetReadings,
    price_usd_per_mwh: float | None,
    zone: tzinfo,
    limits: PlantLimits,
) -> PlantReport:
    """The report that follows ``last`` when the devices report ``readings``."""
    day = local_day(readings.ts_utc, zone)
    if last is None:
        return PlantReport(readings, price_usd_per_mwh, day)
    base = last.on_day(day)
    if day != last.day and readings.ts_utc.astimezone(zone).time() == time(0):
        return PlantReport(readings, price_usd_per_mwh, day)
    before, after = last.readings, readings
    return PlantReport(
        readings=readings,
        price_usd_per_mwh=price_usd_per_mwh,
        day=day,
        cell_discharged_today_kwh=base.cell_discharged_today_kwh
        + _since(before.battery.cell_discharged_kwh, after.battery.cell_discharged_kwh),
        starts_today=base.starts_today + int(_since(before.peaker.starts, after.peaker.starts)),
        spent_today_usd=base.spent_today_usd + _spent_usd(last, after, limits),
    )


def _since(before: float, after: float) -> float:
    return after - before if after >= before else after


def _spent_usd(last: PlantReport, after: AssetReadings, limits: PlantLimits) -> float:
    before = last.readings
    price = charging_price_usd_per_mwh(last.price_usd_per_mwh, limits)
    peaker = limits.peaker
    return (
        cost_usd(_since(before.battery.charged_kwh, after.battery.charged_kwh), price)
        + cost_usd(
            _since(before.battery.discharged_kwh, after.battery.discharged_kwh),
            limits.battery.wear_usd_per_mwh,
        )
        + cost_usd(
            _since(before.peaker.generated_kwh, after.peaker.generated_kwh), peaker.running_usd_per_mwh
        )
        + _since(before.peaker.starts, after.peaker.starts) * peaker.start_usd
    )


def store(connection: Connection, report: PlantReport) -> None:
    """Replace the latest report inside the caller's transaction."""
    readings, battery, peaker = report.readings, report.readings.battery, report.readings.peaker
    connection.execute(delete(asset_readings))
    connection.execute(
        insert(asset_readings).values(
            id=1,
            at=readings.ts_utc,
            battery_setpoint_kw=readings.battery_setpoint_kw,
            peaker_setpoint_kw=readings.peaker_setpoint_kw,
            soc_kwh=battery.soc_kwh,
            battery_kw=battery.power_kw,
            charged_kwh=battery.charged_kwh,
            discharged_kwh=battery.discharged_kwh,
            cell_discharged_kwh=battery.cell_discharged_kwh,
            peaker_kw=peaker.power_kw,
            peaker_on=peaker.on,
            peaker_in_state_s=peaker.in_state_s,
            peaker_starts=peaker.starts,
            generated_kwh=peaker.generated_kwh,
            price_usd_per_mwh=report.price_usd_per_mwh,
            day=report.day,
            cell_discharged_today_kwh=report.cell_discharged_today_kwh,
            starts_today=report.starts_today,
            spent_today_usd=report.spent_today_usd,
        )
    )


def latest_report(connection: Connection) -> PlantReport | None:
    """What the plant's owner last reported; None before its first report."""
    row = connection.execute(select(asset_readings)).first()
    if row is None:
        return None
    battery = BatteryState(
        row.soc_kwh, row.battery_kw, row.charged_kwh, row.discharged_kwh, row.cell_discharged_kwh
    )
    peaker = PeakerState(
        row.peaker_kw, row.peaker_on, row.peaker_in_state_s, row.peaker_starts, row.generated_kwh
    )
    return PlantReport(
        readings=AssetReadings(row.at, battery, peaker, row.battery_setpoint_kw, row.peaker_setpoint_kw),
        price_usd_per_mwh=row.price_usd_per_mwh,
        day=row.day,
        cell_discharged_today_kwh=row.cell_discharged_today_kwh,
        starts_today=row.starts_today,
        spent_today_usd=row.spent_today_usd,
    )
