"""Markdown that the pages share."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Made from the code by `make docs`; edits here are lost. -->"


def page(title: str, *parts: str) -> str:
    """A whole page: its title, where it comes from, and its parts."""
    return "\n\n".join((f"# {title}", GENERATED, *(part.strip("\n") for part in parts))) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; line breaks and bars in cells do not break it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def code(text: str) -> str:
    """A word as code."""
    return f"`{text}`"


def _cell(text: str) -> str:
    """On one line; what is no code must not look like HTML."""
    line = " ".join(text.split()).replace("|", "\\|")
    return line if "`" in line else line.replace("<", "&lt;")
