"""What an invocation did, as CloudWatch reads it out of the log: one line in its embedded metric format."""

import json
import time
from typing import Final

from pipeline.engine import BatchReport

NAMESPACE: Final = "SmartGrid"
DIMENSION: Final = "FunctionName"
DEAD_LETTERS: Final = "DeadLetters"
COUNTS: Final = {
    "Records": "polled",
    "Forecasts": "forecasts",
    "Duplicates": "duplicates",
    DEAD_LETTERS: "dead_letters",
    "RebuiltRecords": "rebuilt",
}
"""Metric → attribute of the report."""


def metric_line(report: BatchReport, function: str) -> str:
    """The counts of an invocation.

    Args:
        report: of it.
        function: name of the function.
    """
    metrics = [{"Name": name, "Unit": "Count"} for name in COUNTS]
    directive = {"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": metrics}
    return json.dumps(
        {
            "_aws": {"Timestamp": round(time.time() * 1000), "CloudWatchMetrics": [directive]},
            DIMENSION: function,
            **{name: getattr(report, attribute) for name, attribute in COUNTS.items()},
        }
    )
