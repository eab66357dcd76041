"""From tools' answers to the policies' view of the grid."""

import math
from collections.abc import Iterator
from datetime import datetime, timedelta

from grid.assets import BatterySpec, PeakerSpec
from grid.telemetry import AREA_SITE, NATIVE_SITE
from grid_supervisor.calls import Answer
from policies.view import ForecastView, GridView, PeakerStart


def moment(text: str) -> datetime:
    """A moment out of an answer."""
    return datetime.fromisoformat(text)


def blocked_by_status(status: Answer) -> str:
    """Why the status forbids autonomous action; empty when it does not."""
    if status["halted"]:
        return "the autonomy is halted"
    for site in status["sites"]:
        if site["site"] in (AREA_SITE, NATIVE_SITE) and site["stale"]:
            age = "nothing was measured yet" if site["age_s"] is None else f"{site['age_s']:.0f} s old"
            return f"telemetry of {site['site']} is stale: {age}"
    if status["battery"]["soc_kwh"] is None or status["peaker"]["on"] is None:
        return "the assets have not reported yet"
    return ""


def blocked_by_check(check: Answer) -> str:
    """Why the telemetry check forbids autonomous action; empty when it does not."""
    if check["trusted"] and not check["stale"]:
        return ""
    what = (
        "stale" if check["stale"] else f"{check['kind'] or 'deviation'} on {check['channel'] or 'a channel'}"
    )
    return f"telemetry of {check['site']} is not trusted ({check['trust']:.2f}): {what}"


def grid_view(
    status: Answer,
    forecast: Answer | None,
    prices: Answer,
    *,
    settles_at: datetime | None = None,
    peaker_start: PeakerStart = "none",
) -> GridView:
    """The view of one decision.

    Args:
        status, forecast, prices: the tools' answers; no forecast where none is fresh.
        settles_at: when the accounts close and stored energy is settled; None without an end.
        peaker_start: whether a start waits for an operator, or may be carried out.
    """
    battery, peaker = status["battery"], status["peaker"]
    in_state_s = peaker["in_state_s"]
    return GridView(
        now=moment(status["interval_start"]),
        interval_s=status["interval_s"],
        native_kw=tuple(status["native_means_kw"]),
        metered_kw=tuple(status["metered_means_kw"]),
        forecast=None if forecast is None else _forecast_view(forecast),
        event_id=status["events"][0]["event_id"] if status["events"] else None,
        battery=_battery_spec(battery),
        soc_kwh=battery["soc_kwh"],
        battery_kw=battery["power_kw"],
        cycles_today=battery["cycles_today"],
        peaker=_peaker_spec(peaker),
        peaker_kw=peaker["power_kw"],
        peaker_on=peaker["on"],
        peaker_in_state_s=math.inf if in_state_s is None else in_state_s,
        peaker_starts_today=peaker["starts_today"],
        price_usd_per_mwh=prices["real_time_price_per_mwh"],
        prices_ahead=tuple(_prices_ahead(prices)),
        ramp_limit_kw=status["ramp_limit_kw"],
        day_end=settles_at,
        outlook_kw=() if forecast is None else tuple(forecast["outlook_kw"]),
        outlook_sigma_kw=() if forecast is None else tuple(forecast["outlook_sigma_kw"]),
        expected_usd_per_mwh=tuple(step[0] for step in prices["expected_per_mwh"]),
        settlement_price_usd_per_mwh=prices["day_mean_price_per_mwh"],
        peaker_start=peaker_start,
    )


def _forecast_view(forecast: Answer) -> ForecastView:
    return ForecastView(
        issued_at=moment(forecast["issued_at"]),
        p10_kw=forecast["p10_change_kw"],
        p50_kw=forecast["p50_change_kw"],
        p90_kw=forecast["p90_change_kw"],
    )


def _ramp(value: float | None) -> float:
    return math.inf if value is None else value


def _battery_spec(answer: Answer) -> BatterySpec:
    return BatterySpec(
        power_kw=answer["max_power_kw"],
        energy_kwh=answer["energy_kwh"],
        round_trip_efficiency=answer["round_trip_efficiency"],
        ramp_kw_per_s=_ramp(answer["ramp_kw_per_s"]),
        wear_usd_per_mwh=answer["wear_usd_per_mwh"],
        soc_min=answer["soc_min"],
        soc_max=answer["soc_max"],
        max_cycles_per_day=answer["max_cycles_per_day"],
    )


def _peaker_spec(answer: Answer) -> PeakerSpec:
    return PeakerSpec(
        power_kw=answer["max_power_kw"],
        min_power_kw=answer["min_power_kw"],
        ramp_kw_per_s=_ramp(answer["ramp_kw_per_s"]),
        min_up_s=answer["min_up_s"],
        min_down_s=answer["min_down_s"],
        start_usd=answer["start_usd"],
        heat_rate_mmbtu_per_mwh=answer["heat_rate_mmbtu_per_mwh"],
        fuel_usd_per_mmbtu=answer["fuel_usd_per_mmbtu"],
        upkeep_usd_per_mwh=answer["upkeep_usd_per_mwh"],
        max_starts_per_day=answer["max_starts_per_day"],
    )


def _prices_ahead(prices: Answer) -> Iterator[tuple[datetime, float]]:
    """Day-ahead prices at every interval's start, from the steps in which the tool gives them."""
    steps, interval = prices["day_ahead"], timedelta(seconds=prices["interval_s"])
    ends = [moment(step["from_utc"]) for step in steps[1:]]
    if steps:
        ends.append(moment(prices["day_ahead_until"]))
    for step, end in zip(steps, ends, strict=True):
        at = moment(step["from_utc"])
        while at < end:
            if step["price_per_mwh"] is not None:
                yield at, step["price_per_mwh"]
            at += interval
