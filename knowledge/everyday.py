"""Plain words → the standards' words, from the dictionary in ``data/everyday.txt``."""

from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files


@lru_cache(maxsize=1)
def everyday() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Plain phrases, and the terms that documents have for them, in lower case; a pair a line."""
    text = (files("knowledge") / "data" / "everyday.txt").read_text(encoding="utf-8")
    return tuple(_pairs(text))


def _pairs(text: str) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    for line in text.splitlines():
        if line and not line.startswith("#"):
            plain, terms = line.split("=")
            yield _phrases(plain), _phrases(terms)


def _phrases(side: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in side.split("|"))
