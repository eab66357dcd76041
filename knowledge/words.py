"""Text → stems: what the lexical index and the questions are made of."""

import re
from functools import lru_cache
from typing import Final

from Stemmer import Stemmer

WORD: Final = re.compile(r"[a-z]+(?:\.[a-z]\b)*|\d+(?:[.,]\d+)*", re.IGNORECASE)
_STOP_TEXT: Final = """
    a about above after again all also am an and any anybody anyone are as at be because been before being
    below between both but by can cannot could did do does doing down during each either else ever every
    few for from further get gets got had has have having he her here hers him his how i if in into is it
    its itself just let like made make makes many may me might mine more most much must my myself need needs
    neither no nor not now of off on once one only onto or other others our ours out over own per please put
    rather same say says shall she should since so some somebody someone something such take takes tell than
    that the their theirs them then there these they thing things this those though through to too under
    until up upon us use used uses using very was way we well were what when where whether which while who
    whom whose why will with within without would yes yet you your yours
"""
STOP_WORDS: Final = frozenset(_STOP_TEXT.split())
"""Words that tell nothing of a question's matter; question words and modal verbs among them."""


def words(text: str) -> list[str]:
    """Words and numbers in lower case; 1,000 is 1000, and what a hyphen joins is two words."""
    return [word.replace(",", "").lower() for word in WORD.findall(text)]


def stems(text: str) -> list[str]:
    """Stems of all words but the stop words."""
    return [stem(word) for word in words(text) if word not in STOP_WORDS]


@lru_cache(maxsize=50_000)
def stem(word: str) -> str:
    """Snowball's English stem of one word."""
    return str(_stemmer().stemWord(word))


@lru_cache(maxsize=1)
def _stemmer() -> Stemmer:
    return Stemmer("english")
