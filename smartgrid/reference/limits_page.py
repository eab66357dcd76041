"""The reference of the limits file and of the rules that read it."""

import inspect
from importlib.resources import files

from policies.guardrails import RULES
from policies.limits import Limits
from smartgrid.reference.markdown import code, page, table
from smartgrid.reference.schema import rows

INTRODUCTION = """
What the assets can do and what the guardrails allow stands in one YAML file. Without `--limits FILE` (or the
setting `limits`) the default below counts; a field that is left out of a file keeps its default. `auto` sizes
itself to the area. Limits are read when a role starts. [Own limits](../how-to/own-limits.md) tells how to
change them.
"""

RULES_TEXT = """
## Rules

A proposal is first clipped to what the assets can physically do (power, state of charge, cycles, ramps,
minimum load, minimum times, starts); where nothing is left of it, it is denied. Then each of these rules may
ask for a person or deny. An approval lifts the findings that ask for a person, and no others. Each finding
names its rule and quotes the limit.
"""


def limits_page() -> str:
    """Fields, rules and the default file."""
    lines = [
        (code(row.path), row.kind, code(row.default or "–"), row.text)
        for row in rows(Limits.model_json_schema())
        if row.kind != "table"
    ]
    rules = [(code(rule.__name__), inspect.getdoc(rule) or "") for rule in RULES]
    default = files("policies").joinpath("default_limits.yaml").read_text("utf-8")
    return page(
        "Limits",
        INTRODUCTION,
        table(("field", "value", "default", "what it is"), lines),
        RULES_TEXT,
        table(("rule", "when it asks or denies"), rules),
        "## The default file",
        f"```yaml\n{default}```",
    )
