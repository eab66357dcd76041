"""``smartgrid token``: bearer tokens for clients over HTTP, and for operators."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from smartgrid.cli.options import JsonOption, StateOption
from smartgrid.cli.output import console, errors, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from smartgrid.tokens import StoredToken, TokenStore

app = typer.Typer(no_args_is_help=True, help="Tokens for clients over HTTP: create, list, revoke.")


@app.command("create")
def create(
    name: Annotated[str, typer.Option("--name", help="Whose it is; an operator's name for their own.")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="grid:read, grid:dispatch or grid:approve. Repeatable.")
    ],
    expires: Annotated[
        str, typer.Option("--expires", help="How long it is good for, such as 90m or 12h.")
    ] = "30d",
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, this once.

    A server that asks for tokens takes it at once; one that runs without them asks from its next start.
    """
    import time

    from smartgrid.tokens import parse_life_s

    made, text = _store(state).create(name, scope, parse_life_s(expires))
    if as_json:
        print_json({"token": text, **_document(made, time.time())})
        return
    typer.echo(text)
    errors.print(
        f"token {made.token_id} of {made.subject}, {_scopes(made)}, until {_utc(made.expires_at_s)} UTC; "
        "it is not shown again",
        highlight=False,
        soft_wrap=True,
    )


@app.command("list")
def list_tokens(state: StateOption = None, as_json: JsonOption = False) -> None:
    """List the tokens that were made; none can be shown again."""
    import time

    now_s = time.time()
    found = _store(state).made()
    if as_json:
        print_json([_document(token, now_s) for token in found])
        return
    if not found:
        console.print("no token was made here")
        return
    table = Table("id", "subject", "scopes", "state", "created (UTC)", "expires (UTC)")
    for token in found:
        times = _utc(token.created_at_s), _utc(token.expires_at_s)
        table.add_row(token.token_id, token.subject, _scopes(token), token.state(now_s), *times)
    console.print(table)


@app.command("revoke")
def revoke(
    token: Annotated[str, typer.Argument(help="Its id, or a name: then all that carry it.")],
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a token at once, also for a server that runs."""
    revoked = _store(state).revoke(token)
    if as_json:
        print_json([{"id": ended.token_id, "subject": ended.subject} for ended in revoked])
        return
    for ended in revoked:
        console.print(f"token {ended.token_id} of {ended.subject} is revoked", highlight=False)


def _store(state: "Path | None") -> "TokenStore":
    from smartgrid.settings import load_settings
    from smartgrid.tokens import TokenStore

    return TokenStore(load_settings(state=state).tokens_db)


def _scopes(made: "StoredToken") -> str:
    return " ".join(sorted(made.scopes))


def _utc(moment_s: float) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d %H:%M:%S}"


def _iso(moment_s: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(moment_s, UTC).isoformat()


def _document(made: "StoredToken", now_s: float) -> dict[str, object]:
    return {
        "id": made.token_id,
        "name": made.name,
        "subject": made.subject,
        "scopes": sorted(made.scopes),
        "state": made.state(now_s),
        "created_at": _iso(made.created_at_s),
        "expires_at": _iso(made.expires_at_s),
    }
