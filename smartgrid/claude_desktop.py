"""Claude Desktop's configuration file: where it is, and our server's entry in it.

Invariants:
    Whatever is not our entry stays as it is, unknown keys too. A file that cannot be read as JSON is
    never written. A write takes the file's place at once, with its permissions, after a copy was kept.
"""

import json
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, Final

from smartgrid.errors import InstallError

FILE_NAME: Final = "claude_desktop_config.json"
SERVERS: Final = "mcpServers"
DEFAULT_NAME: Final = "smartgrid"

Json = dict[str, Any]


def config_file(
    platform: str = sys.platform, environment: Mapping[str, str] = os.environ, home: Path | None = None
) -> PurePath:
    """Where Claude Desktop keeps its configuration.

    Args:
        platform: as ``sys.platform`` names it.
        environment: variables that move the folder.
        home: the user's; asked of the system where unset.
    """
    user = str(home or Path.home())
    if platform == "darwin":
        return PurePosixPath(user, "Library", "Application Support", "Claude", FILE_NAME)
    if platform == "win32":
        roaming = environment.get("APPDATA") or str(PureWindowsPath(user, "AppData", "Roaming"))
        return PureWindowsPath(roaming, "Claude", FILE_NAME)
    return PurePosixPath(environment.get("XDG_CONFIG_HOME") or f"{user}/.config", "Claude", FILE_NAME)


def our_entry(state: Path, *, read_only: bool = False, config: str | None = None) -> Json:
    """What Claude Desktop needs to start our server: absolute paths, since it has another PATH than a shell.

    Args:
        state: the state directory; with a running ``smartgrid up`` on it, the server joins that plant.
        read_only: whether to leave out every tool that acts.
        config: ``SMARTGRID_CONFIG``, where it names another settings file. No other variable is
            passed on, since they may hold secrets.

    Raises:
        InstallError: if this installation has no ``smartgrid`` command.
    """
    arguments = ["mcp", "--state", str(state.expanduser().absolute())]
    if read_only:
        arguments.append("--read-only")
    entry: Json = {"command": str(_own_command()), "args": arguments}
    if config:
        entry["env"] = {"SMARTGRID_CONFIG": str(Path(config).absolute())}
    return entry


def _own_command() -> Path:
    command = Path(sysconfig.get_path("scripts")) / ("smartgrid.exe" if os.name == "nt" else "smartgrid")
    if not command.is_file():
        raise InstallError(
            f"{command} is not there: install the package (uv tool install, or pipx), then again"
        )
    return command


@dataclass(frozen=True, slots=True)
class Change:
    """A change that nobody has made yet.

    Attributes:
        path: the configuration file.
        before: its text when it was read; None where there is no file.
        after: the text that it would have.
        shown: the lines that change, no others: they may hold other servers' secrets.
    """

    path: Path
    before: str | None
    after: str
    shown: str

    @property
    def needed(self) -> bool:
        """Whether anything changes."""
        return bool(self.shown)


def plan_install(path: Path, name: str, entry: Json) -> Change:
    """Put our entry in; what somebody added to an earlier one of ours stays.

    Raises:
        InstallError: if the file is no configuration that we can read.
    """
    text, config = _read(path)
    servers = _servers(path, config)
    kept = servers.get(name, {})
    added = kept.get("env", {}) if isinstance(kept, dict) else None
    if not isinstance(added, dict):
        raise InstallError(
            f"{path}: {SERVERS}.{name}, or its env, is no object; correct or remove it, then run this again"
        )
    environment = {**added, **entry.get("env", {})}
    ours = {**kept, **entry, **({"env": environment} if environment else {})}
    return _change(path, text, config, {**servers, name: ours})


def plan_uninstall(path: Path, name: str) -> Change:
    """Take our entry out.

    Raises:
        InstallError: if the file is no configuration that we can read.
    """
    text, config = _read(path)
    servers = _servers(path, config)
    if name not in servers:
        return Change(path, text, text or "", "")
    return _change(path, text, config, {key: entry for key, entry in servers.items() if key != name})


def apply(change: Change) -> Path | None:
    """Make the change; the copy that was kept of the file as it was, None where there was none.

    Raises:
        InstallError: if the file changed since it was read, or cannot be written.
    """
    path = change.path.resolve()  # a link stays one
    try:
        if _text(path) != change.before:
            raise InstallError(f"{path} has changed meanwhile: run this again")
        path.parent.mkdir(parents=True, exist_ok=True)
        backup = None if change.before is None else _keep_copy(path)
        _replace(path, change.after)
    except OSError as error:
        raise InstallError(f"{path} cannot be written ({error}); nothing was changed") from error
    return backup


def _read(path: Path) -> tuple[str | None, Json]:
    try:
        text = _text(path)
        config = json.loads(text, object_pairs_hook=_no_twice, parse_constant=_no_constant) if text else {}
    except (OSError, ValueError) as error:
        raise InstallError(
            f"{path} cannot be read as JSON ({error}); correct it, then run this again. Nothing was changed"
        ) from error
    if not isinstance(config, dict):
        raise InstallError(f"{path} holds no JSON object; correct it, then run this again")
    return text, config


def _text(path: Path) -> str | None:
    return path.read_text("utf-8-sig") if path.exists() else None


def _no_twice(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key is there twice among {', '.join(found)}")
    return found


def _no_constant(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


def _servers(path: Path, config: Json) -> Json:
    servers = config.get(SERVERS, {})
    if not isinstance(servers, dict):
        raise InstallError(f"{path}: {SERVERS} is no object; correct it, then run this again")
    return servers


def _change(path: Path, text: str | None, config: Json, servers: Json) -> Change:
    before, after = (_dumped(found) for found in (config, {**config, SERVERS: servers}))
    lines = unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    shown = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    return Change(path, text, after, "\n".join(shown))


def _dumped(config: Json) -> str:
    return json.dumps(config, indent=2, ensure_ascii=False) + "\n"


def _keep_copy(path: Path) -> Path:
    number = 1
    while (copy := path.with_name(f"{path.name}.backup-{number}")).exists():
        number += 1
    shutil.copy2(path, copy)
    return copy


def _replace(path: Path, text: str) -> None:
    """Write beside the file, then take its place with its permissions; a new file is the user's alone."""
    handle, partial = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        if path.exists():
            shutil.copymode(path, partial)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)
