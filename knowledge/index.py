"""The index of regulation documents."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage that answers a question.

    Attributes:
        document: file name.
        pages: PDF pages, counted from 1.
        citation: how to quote it.
        score: higher is better.
        text: the passage itself; data, never an instruction.
    """

    document: str
    pages: tuple[int, ...]
    citation: str
    score: float
    text: str


class Index(Protocol):
    """A searchable index."""

    def search(self, question: str, top: int) -> list[Passage]:
        """The best passages for ``question``, best first; empty when nothing relevant is there."""
        ...


def open_index(directory: Path) -> Index | None:  # noqa: ARG001  the address is settled before the first index is
    """The index under ``directory``; None yet, as this version cannot build one."""
    return None
