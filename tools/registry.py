"""Finding the tools: entry points of the group ``smartgrid.tools``, each isolated from the others."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from tools.contract import Tool
from tools.errors import ToolDefinitionError

ENTRY_POINT_GROUP = "smartgrid.tools"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that was left out.

    Attributes:
        name: of its entry point.
        package: the distribution that brought it; empty when unknown.
        reason: what failed, in words.
    """

    name: str
    package: str
    reason: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found.

    Invariants:
        ``tools`` are sorted by name and unique by name; whatever is not there is in ``broken``.
    """

    tools: tuple[Tool, ...]
    broken: tuple[BrokenPlugin, ...]


def discover_tools(points: Iterable[EntryPoint] | None = None) -> Discovery:
    """Load every tool plugin that is installed; one that fails is named and left out.

    Args:
        points: the entry points to load; those of the group ``smartgrid.tools`` by default.
    """
    found: dict[str, Tool] = {}
    broken: list[BrokenPlugin] = []
    chosen = entry_points(group=ENTRY_POINT_GROUP) if points is None else points
    for point in sorted(chosen, key=_order):
        try:
            tool = _load(point)
            if tool.name in found:
                raise ToolDefinitionError(f"the name {tool.name!r} is taken; rename the tool")  # noqa: TRY301
        except (Exception, SystemExit) as error:  # noqa: BLE001  a plugin may raise anything, or exit
            plugin = BrokenPlugin(point.name, _package(point), f"{type(error).__name__}: {error}")
            _log.warning("tool plugin left out: %s", plugin, exc_info=error)
            broken.append(plugin)
        else:
            found[tool.name] = tool
    return Discovery(tuple(found[name] for name in sorted(found)), tuple(broken))


def _order(point: EntryPoint) -> tuple[bool, str, str, str]:
    """Our own first, so that no other package can take one of our names."""
    package = _package(point)
    return package != "smartgrid-ai", package, point.name, point.value


def _package(point: EntryPoint) -> str:
    """The distribution's name; empty where damaged metadata has none."""
    if point.dist is None or "Name" not in point.dist.metadata:
        return ""
    return point.dist.name


def _load(point: EntryPoint) -> Tool:
    tool = point.load()
    if not isinstance(tool, Tool):
        raise ToolDefinitionError(
            f"{point.value} is a {type(tool).__name__}; it must be a tools.contract.Tool"
        )
    return tool
