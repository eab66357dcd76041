"""``smartgrid dashboards``: Grafana's dashboards as files."""

from pathlib import Path
from typing import Annotated

import typer

from smartgrid.cli.options import JsonOption
from smartgrid.cli.output import console, print_json


def dashboards(
    folder: Annotated[
        Path, typer.Argument(help="Folder that Grafana's provisioning reads; made if missing.")
    ],
    as_json: JsonOption = False,
) -> None:
    """Write the Grafana dashboards (JSON) into a folder; those of the compose file are made so."""
    from smartgrid.dashboards.files import write_dashboards

    written = write_dashboards(folder)
    if as_json:
        print_json([str(path) for path in written])
        return
    for path in written:
        console.print(str(path), highlight=False, soft_wrap=True)
