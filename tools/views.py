"""Read-only views: of what stands behind a context, a tool sees what a protocol names and no more.

A view keeps a plugin from writing, or from moving the clock, by mistake. It is no wall against code that
means harm: a plugin runs in the server's process, as whoever installed it decided.
"""

from functools import cache
from types import MappingProxyType
from typing import Any, TypeVar, cast

T = TypeVar("T")


class _View:
    """Passes on the named methods of ``behind``; nothing else of it is in reach, and nothing can be set."""

    __slots__ = ("__weakref__", "_behind", "_names")

    def __init__(self, behind: object, names: frozenset[str]) -> None:
        self._behind = behind
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name in self._names:
            return getattr(self._behind, name)
        seen = ", ".join(sorted(self._names))
        raise AttributeError(f"{name}: a tool sees {seen} here; it acts through context.propose() alone")


def view_of(protocol: Any, behind: T) -> T:
    """A view of an object by a protocol; a view and None stay what they are.

    Args:
        protocol: whose public names are shown.
        behind: has them all, and more.
    """
    if behind is None or isinstance(behind, _View):
        return behind
    return cast(T, _View(behind, _public(protocol)))


def frozen_mapping(found: Any) -> Any:
    """A mapping that cannot be changed."""
    return found if isinstance(found, MappingProxyType) else MappingProxyType(found)


def behind(view: object) -> Any:
    """What a view shows parts of: for the contract alone."""
    return view._behind if isinstance(view, _View) else view


@cache
def _public(protocol: Any) -> frozenset[str]:
    return frozenset(name for name in dir(protocol) if not name.startswith("_"))
