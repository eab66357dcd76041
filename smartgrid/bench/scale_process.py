"""CPU time and memory of a server on this machine, found by the port on which it listens."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_LOOPBACK: Final = ("127.", "::1")


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A process of another program."""

    pid: int

    @property
    def cpu_s(self) -> float:
        """CPU seconds so far, all of its threads."""
        # The name in brackets may hold spaces; what follows it does not.
        fields = (_PROC / str(self.pid) / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def resident_bytes(self) -> int:
        """Memory that it holds now."""
        return int((_PROC / str(self.pid) / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def server_process(host: str, port: int) -> ServerProcess | None:
    """Who listens there; None where that is not this machine, or not to be seen by this user."""
    if not _is_here(host):
        return None
    wanted = {f"socket:[{inode}]" for inode in _listening(port)}
    for folder in _PROC.glob("[0-9]*/fd"):
        if wanted & set(_targets(folder)):
            return ServerProcess(int(folder.parent.name))
    return None


def broker_process(brokers: str) -> ServerProcess | None:
    """The first of ``host:port,…`` that runs here."""
    for address in brokers.split(","):
        host, _, port = address.strip().rpartition(":")
        if port.isdigit() and (found := server_process(host, int(port))) is not None:
            return found
    return None


def _is_here(host: str) -> bool:
    try:
        return socket.gethostbyname(host).startswith(_LOOPBACK)
    except OSError:
        return False


def _listening(port: int) -> Iterator[str]:
    for table in (_PROC / "net/tcp", _PROC / "net/tcp6"):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            _, local, _, state, *rest = line.split()
            if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                yield rest[5]


def _targets(folder: Path) -> Iterator[str]:
    """What a process's open files are; none where it ended, or is another user's."""
    try:
        files = list(folder.iterdir())
    except OSError:
        return
    for file in files:
        try:
            yield str(file.readlink())
        except OSError:
            continue
