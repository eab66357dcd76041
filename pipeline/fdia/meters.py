"""A site's meters and what a verdict on them means for its net load: whom to believe, what to use."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from pipeline.fdia.balance import RESTORED_Z
from pipeline.fdia.detector import SCORE_SPAN, DetectorModel, trust_of
from pipeline.fdia.layout import Booleans, Floats, Integers
from pipeline.fdia.sites import BALANCE, SiteVerdicts, kind_codes

NOTHING: Final = -1
LEAST_TRUST: Final = 0.5
CORROBORATED: Final = float(np.log(30.0))
"""Surprise that costs no trust where several meters agree: all of them would have to be false."""
EXPLAINED: Final = 0.5
"""What may be left of a part's distance from its forecast once the balance is mended by it."""
NET_LOAD: Final = "net_load_kw"
LOAD: Final = "load_kw"
SIGNS: Final = {LOAD: 1.0, "solar_kw": -1.0, "wind_kw": -1.0}
"""Of the meters that net load is made of."""


class Meters:
    """The channels of a detector.

    Args:
        channels: their names.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self._signs = np.array([SIGNS.get(name, 0.0) for name in channels])
        self._net = channels.index(NET_LOAD) if NET_LOAD in channels else NOTHING
        self._two_sides = self._net != NOTHING and LOAD in channels

    def verdict(
        self, model: DetectorModel, found: SiteVerdicts, ts_ms: Integers, pulses_kw: Floats, balance_z: Floats
    ) -> dict[str, Any]:
        """The fields of :class:`pipeline.fdia.stream_scorer.PulseVerdicts`, one entry a site.

        Args:
            model: that judged.
            found: its verdicts.
            ts_ms: starts of the rows that were judged.
            pulses_kw: site × channel.
            balance_z: difference between the two sides in deviations; NaN without.
        """
        over, week = found.evidence - model.alarm_day, model.alarm_week - model.alarm_day
        suspected = (over >= 0.0) | found.alarm_day | found.alarm_week | (found.age > 0)
        by_balance = suspected & (found.leading == BALANCE)
        # One false meter is likelier than several that agree, unless one of those stands out by itself.
        part_is_off = (found.channel != self._net) & (found.of_channel.max(axis=1) >= model.alarm_week)
        part_is_off &= self._explains(found, pulses_kw)
        net_is_off = by_balance & ~part_is_off
        channel = np.where(net_is_off, self._net, found.channel)
        dated = suspected & ((found.age > 0) | found.alarm_day | found.alarm_week)
        since_ms = ts_ms - np.maximum(found.age - 1, 0) * round(model.layout.cadence_s * 1000)
        parts, substitute = (
            self.other_side(pulses_kw),
            self.substitute(found.substitute_kw, found.distrusted, pulses_kw),
        )
        return {
            "score": np.maximum(0.0, 1.0 + over / SCORE_SPAN),
            "alarm": found.alarm_day,
            "alarm_week": found.alarm_week,
            "trust": trust_of(self._matters(found, balance_z) - model.alarm_day, week),
            "channel": np.where(suspected, channel, NOTHING),
            "kind": np.where(suspected, kind_codes(found.leading, model.layout), NOTHING),
            "since_ms": np.where(dated, since_ms, NOTHING),
            "substitute_kw": np.where(net_is_off & ~np.isnan(parts), parts, substitute),
        }

    def _explains(self, found: SiteVerdicts, pulses_kw: Floats) -> Booleans:
        """Whether the suspected part would be as expected if it were what the other meters make of it.

        A part that moves by itself while another meter is false would not.
        """
        if not self._two_sides:
            return np.zeros(len(pulses_kw), dtype=np.bool_)
        site, part = np.arange(len(pulses_kw)), found.channel
        off_kw = pulses_kw[:, self._net] - self.other_side(pulses_kw)
        expected_kw, told_kw = found.substitute_kw[site, part], pulses_kw[site, part]
        mended_kw = told_kw + self._signs[part] * off_kw
        return np.asarray(np.abs(mended_kw - expected_kw) <= EXPLAINED * np.abs(told_kw - expected_kw))

    def _matters(self, found: SiteVerdicts, balance_z: Floats) -> Floats:
        """Surprise as far as it concerns the net load: a false meter of wind costs no trust by itself."""
        of_net = found.of_channel.max(axis=1) if self._net == NOTHING else found.of_channel[:, self._net]
        matters = np.where(found.leading == BALANCE, found.evidence, of_net)
        return np.asarray(matters - CORROBORATED * (np.abs(balance_z) < RESTORED_Z))

    def substitute(self, substitutes_kw: Floats, distrusted: Booleans, pulses_kw: Floats) -> Floats:
        """Net load out of the substitutes of distrusted channels; NaN where it needs none."""
        if self._net != NOTHING:
            return np.where(distrusted[:, self._net], substitutes_kw[:, self._net], np.nan)
        best = np.where(distrusted, substitutes_kw, pulses_kw)
        return np.where(distrusted.any(axis=1), (best * self._signs).sum(axis=1), np.nan)

    def other_side(self, pulses_kw: Floats) -> Floats:
        """Net load by the other meters; NaN without."""
        if not self._two_sides:
            return np.full(len(pulses_kw), np.nan)
        return np.asarray((pulses_kw * self._signs).sum(axis=1))
