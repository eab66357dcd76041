"""Sites side by side: the channels of each, and their balance, fused into one verdict per pulse."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.fdia.balance import OPEN_S, BalanceFit, Balances
from pipeline.fdia.bank import FROZEN, NOISE, PULSE, SIDES, Bank
from pipeline.fdia.lanes import Lanes
from pipeline.fdia.layout import Booleans, Floats, Integers, Layout

BALANCE: Final = -1
"""In place of a channel's statistic: the balance leads."""


@dataclass(frozen=True)
class SiteVerdicts:
    """Of one step; one entry a site.

    Attributes:
        evidence: surprise of the pulse: fresh evidence, or that which holds an episode.
        fresh: fresh evidence alone.
        of_channel: site × channel: as ``evidence``, of each by itself.
        alarm_day, alarm_week: fresh evidence over the threshold of one false alarm a day, a week.
        channel: place of the suspected channel.
        leading: place of its leading statistic, or :data:`BALANCE`.
        age: rows since the last trusted pulse of the suspected channel; 0 where all are trusted.
        distrusted: site × channel.
        substitute_kw: site × channel: what to use instead.
    """

    evidence: Floats
    fresh: Floats
    of_channel: Floats
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
        count, self._channels = history_kw.shape[:2]
        self.lanes = Lanes(
            bank,
            self._lanes_of(model),
            history_kw.reshape(count * self._channels, history_kw.shape[2]),
            *(np.repeat(limit, self._channels) for limit in (alarm_day, alarm_week)),
        )
        self.last_calm: Booleans = np.zeros((0, self._channels), dtype=np.bool_)
        self.last_statistics: Floats | None = None
        self.last_balance: Floats | None = None
        rows = max(1, round(OPEN_S / bank.layout.cadence_s))
        self._balances = None if balance is None else Balances(balance.tails, rows, alarm_day, alarm_week)

    def _lanes_of(self, each: Integers) -> Integers:
        """By channel what counts sites: their lanes, or their models' places in the bank."""
        return np.asarray((each[:, None] * self._channels + np.arange(self._channels)).ravel())

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return self.lanes.nbytes + (0 if self._balances is None else self._balances.nbytes)

    def resize(self, model: Integers, alarm_day: Floats, alarm_week: Floats) -> None:
        """Make room: all sites' models and thresholds are given anew; restart the new ones before use."""
        repeated = [np.repeat(limit, self._channels) for limit in (alarm_day, alarm_week)]
        self.lanes.resize(self._lanes_of(model), *repeated)
        if self._balances is not None:
            self._balances.resize(alarm_day, alarm_week)

    def restart(self, sites: Integers, history_kw: Floats) -> None:
        """Let some sites begin anew, after this history (site × channel × row)."""
        self.lanes.restart(self._lanes_of(sites), history_kw.reshape(-1, history_kw.shape[2]))
        if self._balances is not None:
            self._balances.restart(sites)

    def received_kw(self, sites: Integers) -> Floats:
        """Site × channel × row: what the windows hold as it came, oldest first."""
        with self.lanes.chosen(self._lanes_of(sites)):
            received = self.lanes.received_kw(self.lanes.window)
        return received.reshape(len(sites), self._channels, -1)

    def coming_kw(self, sites: Integers) -> Floats:
        """Site × channel: the substitutes for the rows to come, as far as channels are distrusted now."""
        with self.lanes.chosen(self._lanes_of(sites)):
            return self.lanes.coming_kw().reshape(len(sites), self._channels)

    def step_some(
        self, sites: Integers, pulses_kw: Floats, balance_z: Floats, block: Integers, terms: Floats
    ) -> SiteVerdicts:
        """Judge the next pulse of some sites, as :meth:`step` does of all."""
        with ExitStack() as stack:
            stack.enter_context(self.lanes.chosen(self._lanes_of(sites)))
            if self._balances is not None:
                stack.enter_context(self._balances.chosen(sites))
            return self.step(pulses_kw, balance_z, block, terms)

    def step(self, pulses_kw: Floats, balance_z: Floats, block: Integers, terms: Floats) -> SiteVerdicts:
        """Judge the next pulse of every site.

        Args:
            pulses_kw: site × channel; NaN where missing.
            balance_z: difference of the two measurements in deviations; NaN without.
            block, terms: the calendar of each site's pulse.
        """
        count, each = pulses_kw.shape
        restored = np.zeros(count, dtype=np.bool_)
        if self._balances is not None:
            restored = self._balances.restored(balance_z)
        verdicts = self.lanes.step(
            pulses_kw.ravel(),
            np.repeat(block, each),
            np.repeat(terms, each, axis=0),
            np.repeat(restored, each),
        )
        shape = (count, each)
        self.last_calm = verdicts.calm.reshape(shape)
        self.last_statistics = verdicts.statistics.reshape(*shape, -1)
        fresh = verdicts.fresh_week.reshape(shape)
        held = verdicts.held.reshape(shape)
        distrusted = verdicts.distrusted.reshape(shape)
        evidence = np.maximum(fresh, held)
        channel = evidence.argmax(axis=1)
        pick = np.arange(count), channel
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
            best, newest, evidence, alarms[0], alarms[1], channel, leading, age, distrusted,
            verdicts.substitute_kw.reshape(shape),
        )  # fmt: skip


KINDS: Final = ("balance", "step", "drift", "pulse", "noise", "freeze", "replay")


def kind_codes(leading: Integers, layout: Layout) -> Integers:
    """What statistics speak for, as places in :data:`KINDS`."""
    horizons = len(layout.horizons)
    on_path = [KINDS.index("step" if place <= 1 else "drift") for place in range(horizons)]
    side = {PULSE: "pulse", NOISE: "noise", FROZEN: "freeze"}
    beside = [KINDS.index(side.get(place, "replay")) for place in range(SIDES)]
    return np.array([KINDS.index("balance"), *on_path, *beside], dtype=np.int64)[leading - BALANCE]
