"""How long to leave an operator alone after it did not answer."""

from random import Random
from typing import Final

FIRST_S: Final = 20.0
LONGEST_S: Final = 900.0


def back_off_s(failures: int, retry_after_s: float | None, rng: Random) -> float:
    """Seconds until the next request: doubled with each failure, with jitter, and never less than asked for.

    Args:
        failures: in a row, one or more.
        retry_after_s: what the operator asked for.
        rng: spreads those who failed at one moment.
    """
    full_s = min(LONGEST_S, FIRST_S * 2.0 ** (min(failures, 10) - 1))
    return max(retry_after_s or 0.0, full_s * rng.uniform(0.5, 1.0))
