"""Builds the bundle that Claude Desktop installs with a double click, and its SHA-256, out of the wheel.

``make bundle`` runs it. Claude Desktop's uv makes the environment at the first start: the wheel is in
the bundle, its dependencies are those of the lock file. The same wheel gives the same bytes.
"""

import json
import re
import sys
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from packaging.requirements import Requirement

from tools.contract import Tool
from tools.registry import discover_tools

ROOT: Final = Path(__file__).resolve().parents[2]
EARLIEST: Final = (1980, 1, 1, 0, 0, 0)
"""A zip file's first moment: no time of the build is in the bundle."""
SERVER: Final = '''"""Starts the MCP server on standard input and output."""

import sys

from smartgrid.cli import main

if __name__ == "__main__":
    sys.argv = ["smartgrid", "mcp"]
    main()
'''
LONG_DESCRIPTION: Final = (
    "Ask what net load will do, what a discharge would earn, or which requirement applies, and let the "
    "battery and the peaker be dispatched behind guardrails. High-impact dispatches wait for a person, who "
    "decides outside the chat. Without further settings it brings a simulated plant up; where `smartgrid up` "
    "runs on this machine it joins that one."
)
READ_ONLY: Final = {
    "type": "boolean",
    "title": "Read only",
    "description": "Offer no tool that acts: forecasts, prices, history and look-ups alone.",
    "required": False,
    "default": False,
}

Project = dict[str, Any]


def read_project(root: Path = ROOT) -> Project:
    """The ``project`` table of ``pyproject.toml``."""
    found: Project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def manifest(project: Project) -> dict[str, Any]:
    """The bundle's ``manifest.json``, version 0.4 of its format: the first that knows ``uv``."""
    return {
        "manifest_version": "0.4",
        "name": project["name"],
        "display_name": "SmartGrid-AI",
        "version": project["version"],
        "description": project["description"],
        "long_description": LONG_DESCRIPTION,
        "author": project["authors"][0],
        "license": project["license"],
        "keywords": project["keywords"],
        "server": {
            "type": "uv",
            "entry_point": "server.py",
            "mcp_config": {
                "command": "uv",
                "args": ["run", "--directory", "${__dirname}", "server.py"],
                "env": {"SMARTGRID_READ_ONLY": "${user_config.read_only}"},
            },
        },
        "tools": [{"name": tool.name, "description": tool.description} for tool in _own_tools(project)],
        "user_config": {"read_only": READ_ONLY},
        "compatibility": {
            "platforms": ["darwin", "linux", "win32"],
            "runtimes": {"python": project["requires-python"]},
        },
    }


def _own_tools(project: Project) -> list[Tool]:
    """Without those of other packages that happen to be installed here."""
    names = project["entry-points"]["smartgrid.tools"]
    return [tool for tool in discover_tools().tools if tool.name in names]


def pinned(lock: str) -> list[str]:
    """The versions of a lock file as requirements, without its hashes."""
    lines = re.findall(r"^[a-z0-9][^\\#\n]*==[^\\#\n]+", lock, re.MULTILINE | re.IGNORECASE)
    return [str(Requirement(line.strip())) for line in lines]


def bundle_project(project: Project, wheel: str, lock: str) -> str:
    """The bundle's ``pyproject.toml``: the wheel beside it, with the lock file's versions."""
    constraints = "".join(f"    {json.dumps(line)},\n" for line in pinned(lock))
    return f"""[project]
name = "{project["name"]}-bundle"
version = "{project["version"]}"
requires-python = "{project["requires-python"]}"
dependencies = ["{project["name"]}=={project["version"]}"]

[tool.uv]
package = false
constraint-dependencies = [
{constraints}]

[tool.uv.sources]
{project["name"]} = {{ path = "{wheel}" }}
"""


def build(wheel: Path, out: Path, root: Path = ROOT) -> Path:
    """Write the bundle and, beside it, its SHA-256; the bundle's path.

    Args:
        wheel: of this project, at its present version.
        out: folder of both.
        root: the repository.
    """
    project = read_project(root)
    lock = (root / "requirements.lock").read_text("utf-8")
    files = {
        "LICENSE": (root / "LICENSE").read_bytes(),
        "manifest.json": (json.dumps(manifest(project), indent=2) + "\n").encode(),
        "pyproject.toml": bundle_project(project, wheel.name, lock).encode(),
        "server.py": SERVER.encode(),
        wheel.name: wheel.read_bytes(),
    }
    path = out / f"{project['name']}-{project['version']}.mcpb"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, EARLIEST)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            bundle.writestr(info, content)
    digest = sha256(path.read_bytes()).hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n", "utf-8")
    return path


def main() -> None:
    """Build out of the wheel in ``dist/``."""
    project = read_project()
    wheel = ROOT / "dist" / f"{project['name'].replace('-', '_')}-{project['version']}-py3-none-any.whl"
    if not wheel.is_file():
        sys.exit(f"{wheel} is not there: run make wheel first")
    sys.stdout.write(f"{build(wheel, wheel.parent)}\n")


if __name__ == "__main__":
    main()
