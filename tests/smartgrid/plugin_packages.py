"""Distributions of tool plugins, laid down in a directory as an installer does."""

from pathlib import Path

from tools.registry import ENTRY_POINT_GROUP

OUR_NAMES = {
    "charge_battery",
    "check_compliance",
    "check_telemetry",
    "discharge_battery",
    "dispatch_peaker",
    "explain_decision",
    "forecast_net_load",
    "get_grid_status",
    "halt_autonomy",
    "lookup_regulation",
    "query_history",
    "quote_prices",
    "simulate_scenario",
}
"""The tools that ship with the product: a plugin stands beside them."""
HELLO = '''
from smartgrid.plugin import SCOPE_READ, Tool, ToolInput, ToolOutput

class Ask(ToolInput):
    """Nothing."""

class Say(ToolOutput):
    """A word."""
    word: str

async def run(request, context):
    {body}

tool = Tool("{name}", "Hello", "Says hello.", "read", SCOPE_READ, Ask, Say, run)
'''


def hello(name: str, body: str = 'return Say(word="hello")') -> str:
    """The source of a tool that does this when it is called."""
    return HELLO.format(name=name, body=body)


def lay_down(site_packages: Path, module: str, source: str) -> None:
    """A distribution of one module, with its tool as an entry point; both have the module's name."""
    (site_packages / f"{module}.py").write_text(source)
    info = site_packages / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{module} = {module}:tool\n")
