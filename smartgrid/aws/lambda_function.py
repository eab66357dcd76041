"""The function's entry: imported once an instance, in its cold start.

The package is the state directory: beside this program it holds ``model/`` and, where there is one,
``smartgrid.toml``. Everything else comes by ``SMARTGRID_*`` variables, as for every role.
"""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from smartgrid.aws.forecasting import Forecasting, Invocation
from smartgrid.aws.metrics import metric_line
from smartgrid.logs import start_logging
from smartgrid.plant_stream import STREAM_GROUP
from smartgrid.settings import load_settings

FUNCTION = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")

logging.getLogger().handlers.clear()  # the runtime's would write each line once more
_settings = load_settings(state=Path(os.environ.get("LAMBDA_TASK_ROOT", Path.cwd())))
start_logging(_settings)
_forecasting = Forecasting(_settings, group=STREAM_GROUP)


def handler(event: Mapping[str, Any], context: Invocation) -> dict[str, int]:
    """Forecast for an event of the MSK event source mapping.

    Returns:
        How many forecasts and dead letters it made; the mapping does not read it.
    """
    report = _forecasting(event, context)
    sys.stdout.write(metric_line(report, FUNCTION) + "\n")
    return {"forecasts": report.forecasts, "dead_letters": report.dead_letters}
