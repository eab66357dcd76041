"""This process's leases in the ledger: on the plant's drivers, and on the supervisor's loops."""

import os
import socket
import time
from contextlib import AsyncExitStack

from dispatch.lease import Lease
from dispatch.ledger import Ledger
from smartgrid.errors import RoleError


def process_name() -> str:
    """A name for this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}"


def take(stack: AsyncExitStack, ledger: Ledger, role: str) -> Lease:
    """Take the lease of a role, and give it back when ``stack`` closes.

    Raises:
        RoleError: if another process holds it.
    """
    lease = Lease(ledger, process_name(), time.time, role=role)
    if not lease.acquire():
        raise RoleError(
            f"process {lease.holder()} has the {role} of {ledger.path.parent}: stop it, "
            "or choose another --state"
        )
    stack.callback(lease.release)
    return lease
