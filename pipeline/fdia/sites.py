"""Sites side by side: the channels of each, and their balance, fused into one verdict per pulse."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.fdia.balance import OPEN_S, BalanceFit, Balances
from pipeline.fdia.bank import FROZEN, NOISE, PULSE, REPLAY, Bank
from pipeline.fdia.lanes import Booleans, Lanes
from pipeline.fdia.layout import Floats, Integers

BALANCE: Final = -1
"""In place of a channel's statistic: the balance leads."""


@dataclass(frozen=True)
class SiteVerdicts:
    """Of one step; one entry a site.

    Attributes:
        evidence: surprise of the pulse: fresh evidence, or that which holds an episode.
        fresh: fresh evidence alone.
        alarm_day, alarm_week: fresh evidence over the threshold of one false alarm a day, a week.
        channel: place of the suspected channel.
        leading: place of its leading statistic, or :data:`BALANCE`.
        age: rows since the last trusted pulse of the suspected channel; 0 where all are trusted.
        distrusted: site × channel.
        substitute_kw: site × channel: what to use instead.
    """

    evidence: Floats
    fresh: Floats
    alarm_day: Booleans
    alarm_week: Booleans
    channel: Integers
    leading: Integers
    age: Integers
    distrusted: Booleans
    substitute_kw: Floats


class Sites:
    """State of some sites with the same channels.

    Args:
        bank: parameters; model ``m * channels + c`` judges channel c of a site with model m.
        balance: how two measurements of each site compare; None without.
        model: of each site.
        history_kw: site × channel × row.
        alarm_day, alarm_week: thresholds of each site.
    """

    def __init__(
        self,
        bank: Bank,
        balance: BalanceFit | None,
        *,
        model: Integers,
        history_kw: Floats,
        alarm_day: Floats,
        alarm_week: Floats,
    ) -> None:
        self._count, self._channels = history_kw.shape[:2]
        lanes = (model[:, None] * self._channels + np.arange(self._channels)).ravel()
        day, week = (np.repeat(limit, self._channels) for limit in (alarm_day, alarm_week))
        self.lanes = Lanes(bank, lanes, history_kw.reshape(len(lanes), -1), day, week)
        self.last_statistics: Floats | None = None
        self.last_balance: Floats | None = None
        rows = max(1, round(OPEN_S / bank.layout.cadence_s))
        self._balances = None if balance is None else Balances(balance.tails, rows, alarm_day, alarm_week)

    def step(self, pulses_kw: Floats, balance_z: Floats, block: Integers, terms: Floats) -> SiteVerdicts:
        """Judge the next pulse of every site.

        Args:
            pulses_kw: site × channel; NaN where missing.
            balance_z: difference of the two measurements in deviations; NaN without.
            block, terms: the calendar of each site's pulse.
        """
        each = self._channels
        restored = np.zeros(self._count, dtype=np.bool_)
        if self._balances is not None:
            restored = self._balances.restored(balance_z)
        verdicts = self.lanes.step(
            pulses_kw.ravel(),
            np.repeat(block, each),
            np.repeat(terms, each, axis=0),
            np.repeat(restored, each),
        )
        shape = (self._count, each)
        self.last_statistics = verdicts.statistics.reshape(*shape, -1)
        fresh = verdicts.fresh_week.reshape(shape)
        held = verdicts.held.reshape(shape)
        distrusted = verdicts.distrusted.reshape(shape)
        evidence = np.maximum(fresh, held)
        channel = evidence.argmax(axis=1)
        pick = np.arange(self._count), channel
        leading = verdicts.leading.reshape(shape)[pick]
        alarms = [np.asarray(a.reshape(shape).any(axis=1)) for a in (verdicts.alarm_day, verdicts.alarm_week)]
        best, newest = evidence[pick], fresh.max(axis=1)
        age = verdicts.age.reshape(shape)[pick]
        if self._balances is not None:
            found = self._balances.step(balance_z)
            self.last_balance = found.statistics
            leads = found.fresh_week > best
            best, newest = np.maximum(best, found.fresh_week), np.maximum(newest, found.fresh_week)
            leading = np.where(leads, BALANCE, leading)
            age = np.where(leads & found.alarm_day, np.maximum(age, found.since), age)
            alarms = [alarms[0] | found.alarm_day, alarms[1] | found.alarm_week]
        return SiteVerdicts(
            best, newest, alarms[0], alarms[1], channel, leading, age, distrusted,
            verdicts.substitute_kw.reshape(shape),
        )  # fmt: skip


def kind_name(leading: int, horizons: int) -> str:
    """What a statistic speaks for."""
    if leading == BALANCE:
        return "balance"
    if leading < horizons:
        return "step" if leading <= 1 else "drift"
    side = leading - horizons
    return {PULSE: "pulse", NOISE: "noise", FROZEN: "freeze"}.get(side, "replay" if side >= REPLAY else "")
