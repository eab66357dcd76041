"""Channels side by side, one pulse each per step: history, forecast paths, statistics, episodes.

Every operation is elementwise over lanes or a sum along a lane's own axis, so that a lane's results
do not depend on its neighbours: batches of any size give the same bits.

An episode begins with an alarm at the daily threshold and ends when the channel returns to the
forecast path from its last trusted pulse, or when its level is accepted: after the longest horizon,
or when strong new evidence follows weak. In between the believed history holds that path.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.fdia.bank import DELAY, FROZEN
from pipeline.fdia.copies import match, rarest, repeats_of, run_length
from pipeline.fdia.lane_state import RECENT, SPREAD_MEMORY_DAYS, LaneState
from pipeline.fdia.layout import REPLAY_ROWS, Booleans, Floats, Integers
from pipeline.fdia.tails import NEVER, first_over, surprise

USUAL_MEMORY_DAYS: Final = 10.0
SHIFT_RANGE: Final = (-0.7, 1.4)
LEAST_RATE: Final = 1e-3
LARGEST_Z: Final = 3.0
SPREAD_RANGE: Final = (0.6, 3.0)
SPREAD_POWER: Final = 0.7
RETURN_EVIDENCE: Final = 6.0
RETURN_Z: Final = 4.0
RETURN_SHARE: Final = 0.5
"""A return leaves at most this share of the deviation before it,"""
WEAK_RETURN_SHARE: Final = 0.3
"""(this one after weak evidence, which is more often weather than an attack)"""
UNDONE_SHARE: Final = 0.6
"""or undoes the jump at the alarm up to this share of it."""
SETTLING_Z: Final = 2.0
"""In the hour after an attack, a jump that lands this near the path from before it is no news."""
BACK_ON_PATH: Final = 1.5
TRAIL_SHARE: Final = 0.5
"""Of what an alarm's evidence is over the threshold: it stays for an hour, as pulses come and go."""


@dataclass(frozen=True)
class LaneVerdicts:
    """Of one step; one entry a lane.

    Attributes:
        fresh_day, fresh_week: the largest surprise, with its share, among evidence that no earlier
            alarm of that threshold rests on.
        leading: place of the statistic that gives ``fresh_week``; in an episode, of its strongest alarm.
        alarm_day, alarm_week: fresh evidence over the threshold.
        held: surprise that an episode, or an alarm of the last hour, keeps up; else NEVER.
        distrusted: the pulse is not believed.
        age: rows since the last trusted pulse, 0 where this one is trusted.
        substitute_kw: the forecast in place of the pulse.
        statistics: lane × statistic, for fitting; NaN where not there.
        calm: whether the row counts for what is usual.
    """

    fresh_day: Floats
    fresh_week: Floats
    leading: Integers
    alarm_day: Booleans
    alarm_week: Booleans
    held: Floats
    distrusted: Booleans
    age: Integers
    substitute_kw: Floats
    statistics: Floats
    calm: Booleans


class Lanes(LaneState):
    """Judges pulses of some channels; see :class:`pipeline.fdia.lane_state.LaneState`."""

    def step(self, pulse_kw: Floats, block: Integers, terms: Floats, excused: Booleans) -> LaneVerdicts:
        """Judge the next pulse of every lane.

        Args:
            pulse_kw: what was received; NaN where missing.
            block, terms: the calendar of the pulse.
            excused: lanes whose deviation is known to end here (another meter says so): no alarm.
        """
        known = ~np.isnan(self._raw[self._lane, self._row % self._window])
        self._accept(self._active & known & (self._row - self._origin >= self._ring - 1), self._row)
        self._row += 1
        self._raw[self._lane, self._row % self._window] = pulse_kw
        age = self._row - self._origin
        substitute = self._substitute(age)
        statistics, residual_z = self._statistics(pulse_kw, block)
        scored = surprise(statistics, self._bank.tails[self._model])
        raw = scored + self._shares
        fresh = raw - self._shift()[:, None]
        returning = self._returning(pulse_kw, block, residual_z, fresh) | excused
        fresh_day = np.where(self._fresh(self._anchor_day), fresh, NEVER)
        fresh_week = np.where(self._fresh(self._anchor_week), fresh, NEVER)
        day = np.where(returning, NEVER, fresh_day.max(axis=1))
        week = np.where(returning, NEVER, fresh_week.max(axis=1))
        alarm_day, alarm_week = day >= self.alarm_day, week >= self.alarm_week
        self._anchor_day[alarm_day] = self._row[alarm_day]
        self._anchor_week[alarm_week] = self._row[alarm_week]
        settled = returning & ~self._active
        self._anchor_day[settled] = self._anchor_week[settled] = self._row[settled]
        self._close(returning & self._active, age, pulse_kw - substitute)
        weak = self._active & (self._held < self.alarm_week)
        self._accept(alarm_week & weak, self._row - 1)
        evidence = np.maximum(day, week)
        leading = np.where(
            alarm_week,
            first_over(fresh_week, self.alarm_week),
            np.where(alarm_day, first_over(fresh_day, self.alarm_day), fresh_day.argmax(axis=1)),
        )
        self._open((alarm_day | alarm_week) & ~self._active, leading, evidence)
        stronger = (alarm_day | alarm_week) & (evidence >= self._held)
        self._cause = np.where(stronger | ~self._active, leading, self._cause)
        self._held[self._active] = np.maximum(self._held, evidence)[self._active]
        substitute = np.where(self._active, self._substitute(self._row - self._origin), substitute)
        self._believe(pulse_kw, substitute)
        self._learn_activity(residual_z)
        calm = self._learn_usual(raw.max(axis=1))
        self._forecast(block, terms)
        held = np.maximum(
            np.where(self._active, self._held, NEVER), self._trailing(alarm_day | alarm_week, evidence)
        )
        distrusted, ages = self._active.copy(), np.where(self._active, self._row - self._origin, 0)
        leads = np.where(self._active, self._cause, leading)
        return LaneVerdicts(
            day, week, leads, alarm_day, alarm_week, held, distrusted, ages, substitute, statistics, calm
        )  # fmt: skip

    def coming_kw(self) -> Floats:
        """The substitute for the next pulse, from the last trusted one."""
        age = np.minimum(self._row + 1 - self._origin, self._ring - 1)
        return self._along(self._origin, age)

    def _substitute(self, age: Integers) -> Floats:
        """The path from the last trusted pulse; after its end, the day before."""
        path = self._along(self._origin, np.minimum(age, self._ring - 1))
        day = self._bank.layout.day_rows
        before = self._believed[self._lane, (self._row - day) % self._window]
        return np.where(age < self._ring, path, np.where(age <= day, before, np.nan))

    def _along(self, origin: Integers, age: Integers) -> Floats:
        """The path from an origin at an age that it reaches."""
        low, high, share = (part[age] for part in self._between)
        at = origin % self._ring
        early, late = self._path[self._lane, at, low], self._path[self._lane, at, high]
        return np.asarray(early * (1.0 - share) + late * share)

    def _statistics(self, pulse_kw: Floats, block: Integers) -> tuple[Floats, Floats]:
        horizons, lane = self._bank.layout.horizons, self._lane[:, None]
        origins = (self._row[:, None] - horizons) % self._ring
        forecast = self._path[lane, origins, 1 + np.arange(len(horizons))]
        spread = self._spread_kw(block)
        residual = pulse_kw[:, None] - forecast
        interest = self._bank.interest_kw[self._model]
        path = (np.abs(residual) - interest / 2.0) * interest / (spread * spread)
        residual_z = residual[:, 0] / spread[:, 0]
        self._recent_z[:, 1:] = self._recent_z[:, :-1].copy()
        self._recent_z[:, 0] = residual_z
        recent = self._recent_z
        pulse = np.abs(recent[:, 0] - recent[:, 3] + recent[:, 4])
        noise = np.abs(recent[:, :4]).sum(axis=1)
        side = np.column_stack([pulse, noise, self._repeats(pulse_kw)])
        return np.concatenate([path, side, self._matches(), self._delays(pulse_kw)], axis=1), residual_z

    def _spread_kw(self, block: Integers) -> Floats:
        """By part of the day, times the activity of the last days."""
        return np.asarray(self._bank.spread_kw[self._model, block] * self._liveliness()[:, None])

    def _liveliness(self) -> Floats:
        relative = self._activity.max(axis=1) / self._bank.ordinary[self._model]
        return np.asarray(np.clip(relative, *SPREAD_RANGE) ** SPREAD_POWER)

    def _past(self, lags: Integers) -> Floats:
        return np.asarray(self._raw[self._lane[:, None], (self._row[:, None] - lags) % self._window])

    def _repeats(self, pulse_kw: Floats) -> Floats:
        day = self._bank.layout.day_rows
        self._frozen = run_length(self._frozen, pulse_kw, self._past(np.array([1, day, day + 1])))
        return np.where(np.isnan(pulse_kw), np.nan, self._frozen)

    def _matches(self) -> Floats:
        day, span = self._bank.layout.day_rows, np.arange(REPLAY_ROWS[-1])
        then = [self._past(span + days * day) for days in self._bank.layout.replay_days]
        now, before = self._past(span), self._past(span + 1)
        level = self._bank.level_kw[self._model]
        return match(now, before, then, level_kw=level, resolution_kw=self._bank.resolution_kw[self._model])

    def _delays(self, pulse_kw: Floats) -> Floats:
        lags = np.concatenate([[0, 1], self._bank.layout.delays])
        self._late = repeats_of(self._late, self._past(lags))
        return np.where(np.isnan(pulse_kw), np.nan, self._rarest()[1])[:, None]

    def _rarest(self) -> tuple[Integers, Floats]:
        return rarest(self._late, self._bank.repeat[self._model])

    def _fresh(self, anchor: Integers) -> Booleans:
        """Which statistics rest on nothing that an earlier alarm rested on."""
        reach = np.concatenate([self._bank.layout.horizons, [RECENT, RECENT - 1, 1], REPLAY_ROWS, [1]])
        since = (self._row - anchor)[:, None] >= reach
        at = len(self._bank.layout.horizons) + FROZEN
        since[:, at] = self._row - self._frozen >= anchor
        since[:, -1] = self._row - self._rarest()[0] >= anchor
        return np.asarray(since)

    def _returning(self, pulse_kw: Floats, block: Integers, residual_z: Floats, fresh: Floats) -> Booleans:
        """Whether the pulse fits the path from before the episode better than the false level.

        It is asked for an hour after the episode, too: noise crosses the path before it ends.
        """
        layout, spread = self._bank.layout, self._spread_kw(block)
        age = self._row - self._home
        asked = (self._active | (self._row <= self._home_until)) & (age < self._ring)
        deviation = pulse_kw - self._along(self._home, np.minimum(age, self._ring - 1))
        place = np.maximum(self._between[1][np.minimum(age, self._ring - 1)] - 1, 0)
        at_age, now = np.take_along_axis(spread, place[:, None], axis=1)[:, 0], spread[:, 0]
        before, jump = self._deviation, deviation - self._deviation
        on, back = np.fmin(np.abs(residual_z), np.abs(jump) / now), deviation / at_age
        evidence = (on * on - back * back) / 2.0 + np.log(now / at_age)
        sure = self._held >= self.alarm_week
        against = jump * self._opening < 0.0
        undone = against & (
            np.abs(jump + self._opening) <= UNDONE_SHARE * np.abs(self._opening) + RETURN_Z * now
        )
        share = np.where(sure, RETURN_SHARE, WEAK_RETURN_SHARE)
        near = (np.abs(deviation) <= share * np.abs(before)) & (jump * before < 0.0)
        fits = (near | (sure & undone)) & (np.abs(back) < RETURN_Z) & (evidence > RETURN_EVIDENCE)
        close = self._active & (np.abs(deviation) < BACK_ON_PATH * now)
        self._deviation = np.where(np.isnan(deviation), before, deviation)
        copied = fresh[:, len(layout.horizons) + FROZEN :].max(axis=1) >= self.alarm_day
        settling = ~self._active & sure & (np.abs(back) < SETTLING_Z)
        ended = self._copied & ~copied & (np.abs(back) < RETURN_Z)
        self._copied = copied
        return np.asarray(asked & ~copied & (fits | close | settling | (self._active & ended)))

    def _open(self, opened: Booleans, leading: Integers, evidence: Floats) -> None:
        """The last trusted pulse is the origin of the leading evidence; what came since is replaced."""
        if not opened.any():
            return
        horizons = self._bank.layout.horizons
        back = np.ones(len(leading), dtype=np.int64)
        on_path = leading < len(horizons)
        back[on_path] = horizons[leading[on_path]]
        for place, rows in ((FROZEN, self._frozen), (DELAY, self._rarest()[0])):
            leads = leading == len(horizons) + place
            back[leads] = np.maximum(1, rows[leads]).astype(np.int64)
        back = np.minimum(back, self._ring - 2)
        known = ~np.isnan(self._path[self._lane, (self._row - back) % self._ring, 0])
        back = np.where(known, back, 1)
        self._active |= opened
        self._held[opened] = evidence[opened]
        self._origin[opened] = (self._row - back)[opened]
        again = (self._row <= self._home_until) & (self._row - self._home < self._ring)
        first = opened & ~again
        self._home[first] = self._origin[first]
        self._rewrite(opened, back)
        expected = self._along(self._home, np.minimum(self._row - self._home, self._ring - 1))
        pulse = self._raw[self._lane, self._row % self._window]
        self._deviation[opened] = self._opening[opened] = (pulse - expected)[opened]

    def _rewrite(self, chosen: Booleans, back: Integers) -> None:
        """Believe the path in the rows since the origin, but for the newest."""
        for lane in np.flatnonzero(chosen):
            ages = np.arange(1, back[lane])
            rows = (self._origin[lane] + ages) % self._window
            low, high, share = (part[ages] for part in self._between)
            path = self._path[self._lane[lane], self._origin[lane] % self._ring]
            self._believed[self._lane[lane], rows] = path[low] * (1.0 - share) + path[high] * share

    def _close(self, closed: Booleans, age: Integers, missed_kw: Floats) -> None:
        """The channel is back: bridge the substitutes to it, drop the paths that began in between."""
        for lane in np.flatnonzero(closed):
            ages = np.arange(1, age[lane])
            rows = (self._origin[lane] + ages) % self._window
            if not np.isnan(missed_kw[lane]):
                self._believed[self._lane[lane], rows] += missed_kw[lane] * ages / age[lane]
            self._path[self._lane[lane], (self._origin[lane] + ages) % self._ring] = np.nan
        self._active &= ~closed
        self._home_until[closed] = self._row[closed] + self._bank.layout.hour_rows
        self._recent_z[closed] = np.nan

    def _trailing(self, alarm: Booleans, evidence: Floats) -> Floats:
        """What an alarm of the last hour leaves behind."""
        over = np.where(alarm, evidence - self.alarm_day, 0.0)
        self._trail = np.where(alarm, self.alarm_day + TRAIL_SHARE * over, self._trail)
        self._trail_row = np.where(alarm, self._row, self._trail_row)
        recent = self._row - self._trail_row <= self._bank.layout.hour_rows
        return np.where(recent, self._trail, NEVER)

    def _accept(self, accepted: Booleans, until: Integers) -> None:
        """The level since the origin is taken for real, up to and with row ``until``."""
        for lane in np.flatnonzero(accepted):
            rows = np.arange(self._origin[lane] + 1, until[lane] + 1) % self._window
            at = self._lane[lane], rows
            pulses = self._raw[at]
            self._believed[at] = np.where(np.isnan(pulses), self._believed[at], pulses)
            self._active[lane] = False
            self._origin[lane] = until[lane]

    def _believe(self, pulse_kw: Floats, substitute: Floats) -> None:
        doubtful = self._active | np.isnan(pulse_kw)
        self._believed[self._lane, self._row % self._window] = np.where(doubtful, substitute, pulse_kw)
        self._origin = np.where(doubtful, self._origin, self._row)

    def _learn_activity(self, residual_z: Floats) -> None:
        rates = 1.0 / (np.array(SPREAD_MEMORY_DAYS) * self._bank.layout.day_rows)
        newest = np.minimum(np.abs(residual_z), LARGEST_Z) * self._liveliness()
        learnt = (~self._active & ~np.isnan(newest))[:, None]
        moved = self._activity + rates * (newest[:, None] - self._activity)
        self._activity = np.where(learnt, moved, self._activity)

    def _shift(self) -> Floats:
        """By how much surprise is common these weeks: tails follow what clean rows show of late."""
        rate = self._bank.usual[self._model, 1]
        known = rate > 0.0
        relative = np.where(known, self._usual, 1.0) / np.where(known, rate, 1.0)
        return np.asarray(np.clip(np.log(np.maximum(relative, LEAST_RATE)), *SHIFT_RANGE))

    def _learn_usual(self, surprise_of: Floats) -> Booleans:
        """How often rows are as surprising as many are, but for those of a sure attack and the hour after.

        Rows of weak episodes do: most are false alarms, and without them what is left would look the
        calmer, and thresholds fall the lower, the more false alarms there are.
        """
        level, rate = self._bank.usual[self._model].T
        sure = self._active & (self._held >= self.alarm_week)
        calm = ~sure & (self._row - self._anchor_week > self._bank.layout.hour_rows) & (surprise_of > NEVER)
        learnt = calm & (rate > 0.0)
        step = 1.0 / (USUAL_MEMORY_DAYS * self._bank.layout.day_rows)
        moved = self._usual + step * ((surprise_of >= level) - self._usual)
        self._usual = np.where(learnt, moved, self._usual)
        return np.asarray(calm)

    def _forecast(self, block: Integers, terms: Floats) -> None:
        """Write the path from this pulse; inside an episode it judges the false level by itself."""
        lags = self._bank.layout.lags
        at = (self._row[:, None] - lags) % self._window
        lane = self._lane[:, None]
        history = self._believed[lane, at]
        if self._active.any():
            false = self._active[:, None] & (lags < (self._row - self._origin)[:, None])
            history = np.where(false, self._raw[lane, at], history)
        inputs = np.concatenate([history, terms], axis=1)
        change = self._bank.change_kw(self._model, block, inputs)
        base = self._raw[self._lane, self._row % self._window]
        slot = self._row % self._ring
        self._path[self._lane, slot, 0] = base
        self._path[self._lane, slot, 1:] = base[:, None] + change
