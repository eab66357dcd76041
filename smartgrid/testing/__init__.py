"""For authors of tool packages: a small real grid to test on, and a check of the contract.

Needs the extra ``smartgrid-ai[testing]``.
"""

from smartgrid.testing.conformance import CHECKS, ConformanceError, check_tool
from smartgrid.testing.small_grid import ANA, INTERVAL, NOW, OPERATOR, READER, SmallGrid

__all__ = [
    "ANA",
    "CHECKS",
    "INTERVAL",
    "NOW",
    "OPERATOR",
    "READER",
    "ConformanceError",
    "SmallGrid",
    "check_tool",
]
