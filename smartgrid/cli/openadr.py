"""``smartgrid openadr``: events of an OpenADR 3 VTN become proposals for the battery and the peaker."""

from typing import Annotated

import typer

from smartgrid.cli.options import LimitsOption, ShadowOption, StateOption, duration_s
from smartgrid.cli.role import announce, start_role


def openadr(
    vtn: Annotated[str, typer.Option("--vtn", help="Base address of the VTN.")],
    client_id: Annotated[
        str,
        typer.Option("--client-id", help="OAuth client; SMARTGRID_OPENADR_CLIENT_SECRET holds its secret."),
    ],
    ven: Annotated[str, typer.Option("--ven", help="Name of the virtual end node.")] = "smartgrid",
    token_url: Annotated[
        str | None, typer.Option("--token-url", help="Where tokens are to be had (else the VTN says).")
    ] = None,
    poll: Annotated[str, typer.Option("--poll", help="Between two looks, e.g. 10s.")] = "10s",
    insecure_http: Annotated[
        bool, typer.Option("--insecure-http", help="Allow plain HTTP, on a test bench only.")
    ] = False,
    shadow: ShadowOption = None,
    state: StateOption = None,
    limits: LimitsOption = None,
) -> None:
    """Offer battery and peaker to an OpenADR 3.1 VTN; its events pass the same guardrails as any call.

    Runs beside smartgrid up, on its state directory. Needs Python 3.12 and the extra openadr.
    """
    from contextlib import closing

    import anyio

    from smartgrid.joined import join
    from smartgrid.openadr.role import follow
    from smartgrid.openadr.vtn import HttpVtn, VtnAddress, client_secret
    from smartgrid.stopping import until_drained

    poll_s = duration_s(poll, "--poll")
    settings = start_role(state=state, limits=limits, shadow=shadow)
    address = VtnAddress(vtn, client_id, client_secret(), token_url, insecure_http)

    async def run(stopped: anyio.Event) -> None:
        with join(settings) as workplace, closing(HttpVtn(address, ven)) as node:
            await follow(
                workplace,
                node,
                ven,
                stopped,
                poll_s=poll_s,
                say=lambda text: announce(settings, text),
                shadow=settings.shadow,
            )

    anyio.run(until_drained, run)
