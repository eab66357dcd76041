"""Small elements that pages are made of. All text goes in as text, never as HTML."""

from collections.abc import Awaitable, Callable, Hashable, Sequence

from nicegui import ui
from nicegui.element import Element


def heading(text: str, level: int = 1) -> None:
    """A heading."""
    ui.label(text).props(f'role="heading" aria-level="{level}"').classes(f"h{level}")


def note(text: str) -> None:
    """A line of lesser weight."""
    ui.label(text).classes("note")


def fact(name: str, value: str) -> None:
    """A line of a list of facts."""
    ui.label(name).classes("k")
    ui.label(value).classes("v")


def button(text: str, act: Callable[[], Awaitable[None] | None], kind: str = "plain") -> ui.button:
    """A button: ``main`` for what most people want, ``stop`` for what is grave, ``plain`` for the rest."""
    return ui.button(text, on_click=act, color=None).props("unelevated").classes(kind)


class KeyedList:
    """The elements of a container by what they show: only what changed is built anew.

    Args:
        container: where they stand.
        first: how many elements stand before them.
    """

    def __init__(self, container: Element, first: int = 0) -> None:
        self._container = container
        self._first = first
        self._kept: dict[Hashable, Element] = {}

    def show(self, wanted: Sequence[tuple[Hashable, Callable[[], Element]]]) -> None:
        """Show these in this order; each has a key for all that it shows, and builds itself.

        Those that stay have to stand in the same order as before.
        """
        keys = {key for key, _ in wanted}
        for gone in self._kept.keys() - keys:
            self._kept.pop(gone).delete()
        for index, (key, build) in enumerate(wanted):
            if key not in self._kept:
                with self._container:
                    made = self._kept[key] = build()
                made.move(target_index=self._first + index)
