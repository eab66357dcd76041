"""This process's leases in the ledger: on the plant's drivers, and on the supervisor's loops."""

import os
import secrets
import socket
import time
from contextlib import AsyncExitStack

from dispatch.lease import Lease
from dispatch.ledger import Ledger
from smartgrid.errors import RoleError

LEASE_S = 20.0
"""How long a process that died keeps its role; a living one renews at every pulse."""


_SUFFIX = secrets.token_hex(4)
"""Tells processes apart whose host name and number are the same, as in containers."""


def process_name() -> str:
    """A name for this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{_SUFFIX}"


def take(stack: AsyncExitStack, ledger: Ledger, role: str) -> Lease:
    """Take the lease of a role, and give it back when ``stack`` closes.

    Raises:
        RoleError: if another process holds it.
    """
    lease = Lease(ledger, process_name(), time.time, LEASE_S, role)
    if not lease.acquire():
        raise RoleError(
            f"process {lease.holder()} has the {role} of {ledger.name}: stop it, or choose another "
            f"--state (after a crash its hold ends within {LEASE_S:.0f} s)"
        )
    stack.callback(lease.release)
    return lease
