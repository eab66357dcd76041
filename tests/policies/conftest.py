"""A quiet grid, as a policy sees it; tests change what they are about."""

from datetime import UTC, datetime, timedelta

import pytest

from policies.limits import Limits, Scale
from policies.view import ForecastView, GridView

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INTERVAL = timedelta(minutes=5)
HOURS_LEFT = 6
PRICE_USD_PER_MWH = 40.0


@pytest.fixture(scope="session")
def calm() -> GridView:
    """Noon: six hours to the end of the day, level net load, a narrow band, a flat price, half full.

    Both assets have 1 MW; the battery stores 2 MWh, the peaker runs at 300 kW at least; the ramp
    limit is 1 MW.
    """
    limits = Limits().resolve(Scale(p99_net_load_kw=20_000.0, ramp_limit_kw=1_000.0, cadence_s=300.0))
    return GridView(
        now=NOW,
        interval_s=INTERVAL.total_seconds(),
        native_kw=(10_000.0,) * 7,
        metered_kw=(10_000.0,) * 7,
        forecast=ForecastView(NOW - INTERVAL, -100.0, 0.0, 100.0),
        event_id=None,
        battery=limits.battery,
        soc_kwh=limits.battery.initial_soc * limits.battery.energy_kwh,
        battery_kw=0.0,
        cycles_today=0.0,
        peaker=limits.peaker,
        peaker_kw=0.0,
        peaker_on=False,
        peaker_in_state_s=86_400.0,
        peaker_starts_today=0,
        price_usd_per_mwh=PRICE_USD_PER_MWH,
        prices_ahead=tuple((NOW + k * INTERVAL, PRICE_USD_PER_MWH) for k in range(HOURS_LEFT * 12)),
        ramp_limit_kw=limits.ramp_limit_kw,
        day_end=NOW + timedelta(hours=HOURS_LEFT),
        settlement_price_usd_per_mwh=PRICE_USD_PER_MWH,
    )
