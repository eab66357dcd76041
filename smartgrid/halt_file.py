"""The kill switch as a file: where ``halt`` lies in the state directory, the autonomy is halted.

It works without this program and without the ledger's lock: ``touch STATE/halt``. That the file is gone
resumes nothing; a person resumes, once it is gone.
"""

from datetime import datetime
from pathlib import Path

from dispatch import flags
from dispatch.ledger import Ledger
from policies.principal import PRIORITY_PERSON, SCOPE_DISPATCH, Principal
from smartgrid.errors import RoleError

HALT_FILE = "halt"
LONGEST_REASON = 200
WHO = Principal("file:halt", frozenset({SCOPE_DISPATCH}), PRIORITY_PERSON)


def obey_halt_file(state: Path, ledger: Ledger, now: datetime) -> bool:
    """Halt the autonomy where the file lies and no halt stands yet; whether that was so.

    Args:
        state: the state directory.
        ledger: where the halt is recorded; the file's first line is its reason.
        now: the plant's time.
    """
    path = state / HALT_FILE
    if not path.exists():
        return False
    with ledger.reading() as connection:
        if flags.halt_of(connection) is not None:
            return False
    flags.halt(ledger, WHO, f"the file {path.name} is there{_said(path)}", now)
    return True


def require_no_halt_file(state: Path) -> None:
    """Before a resume: a file that is still there would halt the autonomy again.

    Raises:
        RoleError: if it is.
    """
    path = state / HALT_FILE
    if path.exists():
        raise RoleError(f"{path} is still there and would halt the autonomy again: remove it first")


def _said(path: Path) -> str:
    """The first line, where it is a file that can be read; the halt holds without it."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            line = file.readline(LONGEST_REASON).strip()
    except OSError:
        return ""
    return f": {line}" if line else ""
