"""Writes the reference: ``python -m smartgrid.reference docs/reference``."""

import sys
from pathlib import Path

from smartgrid.reference.pages import PAGES


def main(arguments: list[str]) -> None:
    """Write every page into the folder that is named."""
    if len(arguments) != 1:
        sys.exit("give the folder to write to: python -m smartgrid.reference docs/reference")
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (folder / name).write_text(make(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
