"""The dashboards as files, as Grafana's provisioning reads them."""

import json
from pathlib import Path
from typing import Final

from pipeline.whole_file import write_whole
from smartgrid.dashboards.forecast_quality import FORECAST_QUALITY
from smartgrid.dashboards.model import Dashboard
from smartgrid.dashboards.operations import OPERATIONS
from smartgrid.dashboards.stream_health import STREAM_HEALTH
from smartgrid.dashboards.trading import TRADING
from smartgrid.errors import ReportError

DASHBOARDS: Final = (OPERATIONS, FORECAST_QUALITY, TRADING, STREAM_HEALTH)


def text_of(dashboard: Dashboard) -> str:
    """The file's text."""
    return json.dumps(dashboard.document(), indent=2, ensure_ascii=False) + "\n"


def write_dashboards(folder: Path) -> list[Path]:
    """Write each dashboard into the folder; the paths.

    Raises:
        ReportError: if it cannot be written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for dashboard in DASHBOARDS:
            path = folder / f"{dashboard.uid}.json"
            write_whole(path, text_of(dashboard).encode())
            written.append(path)
    except OSError as error:
        raise ReportError(f"{folder}: the dashboards cannot be written there ({error})") from error
    return written
