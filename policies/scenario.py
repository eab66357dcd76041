"""A rehearsal: both policies, the guardrails and the arbiter on a copy of the plant, interval by interval.

Nothing is asked of a device and nothing is recorded. What happens (:class:`Shock`) is a surprise: each
decision sees what was measured until then, and expects the course that was expected before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from grid.units import RAMP_WINDOW_S, metered_net_load_kw
from policies import response, trading
from policies.arbiter import merge
from policies.guardrails import evaluate, evaluate_setpoint
from policies.horizon import Array
from policies.limits import PlantLimits
from policies.principal import RESPONSE, TRADING, Principal
from policies.proposal import AssetName, Proposal
from policies.rehearsed_run import Key, RehearsedRun, booked
from policies.verdict import GuardrailState, Verdict
from policies.view import Decision, ForecastView, GridView


@dataclass(frozen=True)
class Course:
    """What is expected, interval by interval from now on: native net load, real-time price (NaN: unknown)."""

    native_kw: Array
    price_usd_per_mwh: Array


@dataclass(frozen=True)
class Shock:
    """What happens, interval by interval from now on.

    Attributes:
        extra_kw: added to native net load.
        price_usd_per_mwh: real-time price; NaN where it stays what is expected.
    """

    extra_kw: Array
    price_usd_per_mwh: Array


@dataclass(frozen=True, slots=True)
class Ask:
    """What a principal's loop asked for at a border, and what the guardrails said to it."""

    requester: str
    decision: Decision
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Step:
    """One interval: powers in kW (an asset's positive injects).

    Attributes:
        price_usd_per_mwh: real-time price; None where unknown.
        state: of the assets at its end.
        asks: what the loops asked for at its start.
    """

    native_kw: float
    metered_kw: float
    battery_kw: float
    peaker_kw: float
    price_usd_per_mwh: float | None
    state: GuardrailState
    asks: tuple[Ask, ...] = ()


class Rehearsal:
    """Plays a course on a copy of the plant; each :meth:`play` starts anew.

    Args:
        view: the state now.
        state: the same, as the guardrails see it.
        limits: of this plant.
        course: what is expected.
        approves: whether a person agrees to what needs one, before the next interval; else nobody answers.
    """

    def __init__(
        self, view: GridView, state: GuardrailState, limits: PlantLimits, course: Course, *, approves: bool
    ) -> None:
        self._view = view
        self._state = state
        self._limits = limits
        self._course = course
        self._approves = approves

    def play(self, shock: Shock, *, loops: bool) -> Iterator[Step]:
        """The intervals in turn, with the loops at work or with the assets at their safe setpoints.

        Raises:
            PolicyError: when a policy finds no plan.
        """
        run = RehearsedRun.of(self._view, self._state)
        for k, native_kw in enumerate((self._course.native_kw + shock.extra_kw).tolist()):
            view = self._view_at(k, run, float(shock.price_usd_per_mwh[k]))
            run.now = view.now
            state = run.known_state(view.price_usd_per_mwh)
            asks = self._asks(view, run, state) if loops else ()
            step = self._act(view, run, state, native_kw, asks)
            run.state = step.state
            run.measured(native_kw, step.metered_kw, view.interval_s, self._limits.ramp_limit_kw)
            yield step

    def _view_at(self, k: int, run: RehearsedRun, spike: float) -> GridView:
        """What the policies know before interval ``k``; in a spike they assume that it fades."""
        view, state, window = self._view, run.state, len(self._view.native_kw)
        spiked = not np.isnan(spike)
        price = spike if spiked else float(self._course.price_usd_per_mwh[k])
        return replace(
            view,
            now=view.now + k * timedelta(seconds=view.interval_s),
            native_kw=tuple(run.native_kw[-window:]),
            metered_kw=tuple(run.metered_kw[-window:]),
            forecast=self._forecast_at(k),
            event_id=run.event_id,
            soc_kwh=state.battery.soc_kwh,
            battery_kw=state.battery.power_kw,
            cycles_today=state.battery_discharged_today_kwh / view.battery.energy_kwh,
            peaker_kw=state.peaker.power_kw,
            peaker_on=state.peaker.on,
            peaker_in_state_s=state.peaker.in_state_s,
            peaker_starts_today=state.peaker_starts_today,
            price_usd_per_mwh=None if np.isnan(price) else price,
            outlook_kw=view.outlook_kw[k:],
            outlook_sigma_kw=view.outlook_sigma_kw[k:],
            expected_usd_per_mwh=() if spiked else view.expected_usd_per_mwh[k:],
            peaker_start=run.peaker_start,
        )

    def _forecast_at(self, k: int) -> ForecastView | None:
        """The change that was expected from there on, before anything happened; its band is that of now."""
        band, course_kw = self._view.forecast, self._course.native_kw
        if band is None or k == 0:
            return band
        ahead = max(1, round(RAMP_WINDOW_S / self._view.interval_s))
        change_kw = float(course_kw[min(k - 1 + ahead, len(course_kw) - 1)] - course_kw[k - 1])
        off_kw = change_kw - band.p50_kw
        return replace(band, p10_kw=band.p10_kw + off_kw, p50_kw=change_kw, p90_kw=band.p90_kw + off_kw)

    def _asks(self, view: GridView, run: RehearsedRun, state: GuardrailState) -> tuple[Ask, ...]:
        traded = trading.decide(view)
        wanted = [(RESPONSE, decision) for decision in response.decide(view)]
        wanted += [] if traded is None else [(TRADING, traded)]
        approved = run.take_approved()
        return tuple(
            [
                self._ask(_proposal(who, decision, view), decision, run, state, approved)
                for who, decision in wanted
            ]
        )

    def _ask(
        self,
        proposal: Proposal,
        decision: Decision,
        run: RehearsedRun,
        state: GuardrailState,
        approved: set[Key],
    ) -> Ask:
        key = (proposal.requester, proposal.asset)
        judged = replace(state, actions_last_hour=run.accepted_last_hour(proposal.requester))
        verdict = evaluate(proposal, judged, self._limits, approved=key in approved)
        if verdict.outcome == "needs_approval":
            run.wait(key, approves=self._approves)
        elif verdict.outcome != "deny":
            run.accept(proposal, verdict)
        return Ask(proposal.requester, decision, verdict)

    def _act(
        self,
        view: GridView,
        run: RehearsedRun,
        state: GuardrailState,
        native_kw: float,
        asks: tuple[Ask, ...],
    ) -> Step:
        limits = self._limits
        battery_kw = self._setpoint_kw(
            "battery", (-limits.battery.power_kw, limits.battery.power_kw), run, view
        )
        peaker_kw = self._setpoint_kw("peaker", (0.0, limits.peaker.power_kw), run, view)
        battery = state.battery.step(limits.battery, battery_kw, view.interval_s)
        peaker = state.peaker.step(limits.peaker, peaker_kw, view.interval_s)
        return Step(
            native_kw=native_kw,
            metered_kw=metered_net_load_kw(native_kw, battery.power_kw, peaker.power_kw),
            battery_kw=battery.power_kw,
            peaker_kw=peaker.power_kw,
            price_usd_per_mwh=view.price_usd_per_mwh,
            state=booked(state, battery, peaker, limits),
            asks=asks,
        )

    def _setpoint_kw(
        self, asset: AssetName, bounds_kw: tuple[float, float], run: RehearsedRun, view: GridView
    ) -> float:
        """As the executor finds it: merged, and checked once more."""
        target = merge(run.claims(asset), bounds_kw, view.now)
        wish_kw = None if target is None else target.power_kw
        return evaluate_setpoint(asset, wish_kw, run.state, self._limits).power_kw


def _proposal(who: Principal, decision: Decision, view: GridView) -> Proposal:
    return Proposal(
        asset="peaker" if decision.asset == "peaker" else "battery",
        power_kw=decision.power_kw,
        duration_s=decision.duration_s,
        reason=decision.reason,
        requester=who.subject,
        priority=who.priority,
        idempotency_key=view.now.isoformat(),
        lower_kw=decision.lower_kw,
        upper_kw=decision.upper_kw,
    )
