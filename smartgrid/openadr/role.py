"""The role ``smartgrid openadr``: a virtual end node beside the plant's owner."""

import logging
from collections.abc import Callable

import anyio
from mcp import Client

from dispatch.errors import LedgerError
from grid_supervisor.errors import ToolCallError
from smartgrid.area import Workplace
from smartgrid.openadr.errors import VtnError
from smartgrid.openadr.signals import Vtn
from smartgrid.openadr.ven import VirtualEndNode, ven_principal

logger = logging.getLogger(__name__)


async def follow(
    workplace: Workplace,
    vtn: Vtn,
    ven_name: str,
    stopped: anyio.Event,
    *,
    poll_s: float,
    say: Callable[[str], None],
    shadow: bool = False,
) -> None:
    """Follow a VTN's events until told to stop; a look that fails is tried again at the next.

    Args:
        workplace: the area.
        vtn: the way to the VTN.
        ven_name: how the virtual end node is known there.
        stopped: ends it.
        poll_s: wall time between two looks, in s.
        say: told what is new.
        shadow: ask for nothing.

    Raises:
        VtnError: when the VTN cannot be reached at the start.
    """
    principal = ven_principal(ven_name, shadow=shadow)
    async with Client(workplace.server_for(principal)) as client:
        ven = VirtualEndNode(client, vtn, principal.subject)
        await ven.enrol()
        say(f"follows the VTN as {ven_name}: battery and peaker; stop with Ctrl-C")
        while not stopped.is_set():
            try:
                for one in await ven.tick():
                    say(
                        f"event {one.event_id}, interval {one.number}, {one.asset}: {one.state}; {one.detail}"
                    )
            except (VtnError, ToolCallError, LedgerError) as error:
                logger.warning("this look failed: %s", error)
            with anyio.move_on_after(poll_s):
                await stopped.wait()
