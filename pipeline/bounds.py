"""What a site's meters can possibly show: a value outside is no measurement."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from pipeline.arrays import Floats, Mask
from pipeline.errors import MessageError
from pipeline.messages import VALUE_NAMES
from pipeline.site_rules import SiteRules

LEAST_SHARE: Final = -0.02
"""Solar and wind may fall so far below zero, as a share of their largest value: own consumption at night."""


class Bounds:
    """Checks pulses against their sites' bounds.

    Args:
        rules: of the sites that the settings name; a channel with bounds there has no others.
        largest_kw: by channel (``solar_kw``, ``wind_kw``), the largest value that the model was
            trained on; for sites without bounds of their own.
    """

    def __init__(self, rules: Mapping[str, SiteRules], largest_kw: Mapping[str, float]) -> None:
        self._rules = {site: rule for site, rule in rules.items() if rule.bounds}
        self._least_kw = {
            channel: LEAST_SHARE * largest for channel, largest in largest_kw.items() if largest > 0
        }
        self._least = [(VALUE_NAMES.index(channel), least) for channel, least in self._least_kw.items()]

    def passed(self, sites: Sequence[str], values: Floats) -> Mask:
        """Which pulses are outside their sites' bounds.

        Args:
            sites: of the pulses.
            values: one row a channel, one column a pulse; NaN is missing and passes.
        """
        odd = np.zeros(values.shape[1], dtype=np.bool_)
        for channel, least in self._least:
            odd |= values[channel] < least
        if self._rules:
            for i, site in enumerate(sites):
                if site in self._rules:
                    odd[i] = self._broken(site, values[:, i]) is not None
        return odd

    def error(self, site: str, values: Floats) -> MessageError:
        """Why a pulse is outside.

        Args:
            site: of the pulse.
            values: its channels.
        """
        channel, low, high = self._broken(site, values) or ("", np.nan, np.nan)
        value = values[VALUE_NAMES.index(channel)]
        return MessageError(
            "out_of_bounds",
            f"{channel}: {value:g} is outside {low:g} … {high:g} kW, the bounds of {site}; "
            "check the meter, or set the site's bounds",
        )

    def _broken(self, site: str, values: Floats) -> tuple[str, float, float] | None:
        least = {channel: (low, np.inf) for channel, low in self._least_kw.items()}
        rule = self._rules.get(site)
        for channel, (low, high) in (least | dict(rule.bounds if rule else {})).items():
            value = values[VALUE_NAMES.index(channel)]
            if value < low or value > high:
                return channel, low, high
        return None
