"""``report.json``: the accounts of a set of days and of each of them, as the definitions name them."""

import math
from collections.abc import Sequence
from typing import Any

from grid.accounts import DayAccounts
from grid.day_set import set_figures
from smartgrid.day.result import DayResult

JsonDict = dict[str, Any]


def summarise(results: Sequence[DayResult]) -> JsonDict:
    """The content of ``report.json``.

    Args:
        results: one day or more.

    Returns:
        Sums over the set and captures from those sums at the top; ``days`` holds the same for each day.
        A ratio without a denominator is None.
    """
    figures = set_figures([result.accounts for result in results])
    return {
        "name": results[0].name if len(results) == 1 else f"{len(results)} days",
        **_sums(results),
        "value_capture": figures.value_capture,
        "ramp_relief": figures.ramp_relief,
        "trade_share": figures.trade_share,
        "value_capture_mean": figures.mean,
        "value_capture_p10": figures.p10,
        "value_capture_worst": figures.worst,
        "value_capture_bootstrap_error": figures.bootstrap_error,
        "days": [
            _day(result, capture) for result, capture in zip(results, figures.day_captures, strict=True)
        ],
    }


def _sums(results: Sequence[DayResult]) -> JsonDict:
    accounts = [result.accounts for result in results]
    return {
        "currency": _common([result.currency for result in results]),
        "price_source": _common([result.price_source for result in results]),
        "seed": _common([result.seed for result in results]),
        "price_seed": _common([result.price_seed for result in results]),
        "operator": _common([result.operator for result in results]),
        "cost_no_action_usd": _sum(day.no_action.cost_usd for day in accounts),
        "cost_usd": _sum(day.ours.cost_usd for day in accounts),
        "cost_perfect_foresight_usd": _sum(day.perfect_bound_usd for day in accounts),
        "ramp_penalty_usd": _sum(day.ours.ramp_penalty_usd for day in accounts),
        "ramp_penalty_no_action_usd": _sum(day.no_action.ramp_penalty_usd for day in accounts),
        "energy_profit_usd": _sum(day.ours.energy_profit_usd for day in accounts),
        "battery_cycles": _sum(result.battery_cycles for result in results),
        "dispatches": sum(len(result.dispatches) for result in results),
        "guardrail_violations": sum(len(result.violations) for result in results),
        "instability_events": sum(len(result.events) for result in results),
        "pulses": sum(result.pulses for result in results),
    }


def _day(result: DayResult, capture: float | None) -> JsonDict:
    accounts: DayAccounts = result.accounts
    return {
        "name": result.name,
        **_sums([result]),
        "value_capture": capture,
        "ramp_relief": accounts.ramp_relief,
        "trade_share": accounts.trade_share,
        "source": result.source,
        "tz": result.tz,
        "cadence_s": result.cadence_s,
        "interval_s": result.interval_s,
        "ramp_limit_kw": result.ramp_limit_kw,
        "battery_energy_kwh": result.battery_energy_kwh,
        "approvals": [
            {
                "requested_at": asked.requested_at.isoformat(),
                "decided_at": None if asked.decided_at is None else asked.decided_at.isoformat(),
                "requester": asked.requester,
                "approver": asked.approver,
                "state": asked.state,
            }
            for asked in result.approvals
        ],
        "violations": list(result.violations),
        "notes": list(result.notes),
    }


def _common(values: Sequence[Any]) -> Any:
    """The value that all share; None where they differ (``mixed`` for words)."""
    first = values[0]
    if all(value == first for value in values):
        return first
    return "mixed" if any(isinstance(value, str) for value in values) else None


def _sum(values: Any) -> float:
    return math.fsum(values)
