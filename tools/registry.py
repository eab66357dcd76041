"""Finding the tools: entry points of the group ``smartgrid.tools``, each isolated from the others.

Another package's module is imported in a thread of its own, for a limited time: one that hangs is named and
left out, and its thread stays behind until the process ends. What a plugin can still do is end the process
or keep the processor busy: it is code that somebody trusted enough to install.
"""

import logging
import traceback
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from threading import Thread
from typing import Any, Final

from tools.contract import Tool
from tools.errors import PluginTimeoutError, ToolDefinitionError

ENTRY_POINT_GROUP = "smartgrid.tools"
LOAD_LIMIT_S: Final = 10.0
"""How long another package's tool may take to load: heavy libraries need seconds on a slow disk."""

_OURS: Final = "smartgrid-ai"

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


def discover_tools(points: Iterable[EntryPoint] | None = None, *, limit_s: float = LOAD_LIMIT_S) -> Discovery:
    """Load every tool plugin that is installed; one that fails or hangs is named and left out.

    Args:
        points: the entry points to load; those of the group ``smartgrid.tools`` by default.
        limit_s: how long each of another package's may take.
    """
    found: dict[str, Tool] = {}
    broken: list[BrokenPlugin] = []
    chosen = entry_points(group=ENTRY_POINT_GROUP) if points is None else points
    for point in sorted(chosen, key=_order):
        try:
            tool = _checked(point, _loaded(point, limit_s))
            if tool.name in found:
                raise ToolDefinitionError(f"the name {tool.name!r} is taken; rename the tool")  # noqa: TRY301
        except Exception as error:  # noqa: BLE001  a plugin may raise anything
            plugin = BrokenPlugin(point.name, _package(point), _in_words(error))
            _log.warning("tool plugin left out: %s", plugin, exc_info=error)
            broken.append(plugin)
        else:
            found[tool.name] = tool
    return Discovery(tuple(found[name] for name in sorted(found)), tuple(broken))


def _order(point: EntryPoint) -> tuple[bool, str, str, str]:
    """Our own first, so that no other package can take one of our names."""
    package = _package(point)
    return package != _OURS, package, point.name, point.value


def _package(point: EntryPoint) -> str:
    """The distribution's name; empty where damaged metadata has none."""
    if point.dist is None or "Name" not in point.dist.metadata:
        return ""
    return point.dist.name


def _loaded(point: EntryPoint, limit_s: float) -> object:
    if _package(point) == _OURS:
        return point.load()
    loading: Future[object] = Future()
    Thread(target=_load_into, args=(loading, point), name=f"load {point.name}", daemon=True).start()
    try:
        return loading.result(limit_s)
    except TimeoutError:
        if loading.done():  # the plugin's own
            raise
        raise PluginTimeoutError(
            f"not loaded within {limit_s:g} s; let the module {point.module} only define its tool,"
            " and connect or read when the tool is called"
        ) from None


def _load_into(loading: Future[Any], point: EntryPoint) -> None:
    try:
        loading.set_result(point.load())
    except Exception as error:  # noqa: BLE001  discover_tools names it
        loading.set_exception(error)
    except BaseException as error:  # noqa: BLE001  it would end this process, had it been raised there
        loading.set_exception(ToolDefinitionError(f"loading it raised {_in_words(error)}"))


def _in_words(error: BaseException) -> str:
    """The kind and what it says; an error of a plugin's own may fail at saying it."""
    lines = traceback.format_exception_only(error)
    said = next(line for line in lines if not line.startswith(" "))  # a syntax error shows its place first
    return f"{type(error).__name__}: {said.strip().partition(': ')[2]}"


def _checked(point: EntryPoint, tool: object) -> Tool:
    if not isinstance(tool, Tool):
        raise ToolDefinitionError(
            f"{point.value} is a {type(tool).__name__}; it must be a smartgrid.plugin.Tool"
        )
    if _package(point) != _OURS:
        _require_valid_schemas(tool)
    return tool


def _require_valid_schemas(tool: Tool) -> None:
    from tools.json_schema import schema_fault  # noqa: PLC0415  takes a while, and only plugins need it

    schemas = {
        "input": tool.input_model.model_json_schema(),
        "output": tool.output_model.model_json_schema(mode="serialization"),
    }
    for side, schema in schemas.items():
        fault = schema_fault(schema)
        if fault is not None:
            raise ToolDefinitionError(
                f"its {side} schema is no JSON Schema 2020-12: {fault}; correct the model"
            )
