"""Commands on the tokens of a service. They work on its database, where whoever runs it has access anyway."""

# ruff: noqa: PLC0415  # a command imports what it needs when it runs, so that the others and --help start at once
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from taskgraft.api.cli.output import AsJson, console, count, errors, errors_as_exit_codes, print_json
from taskgraft.search.study.token import Quota, Scope, Token

if TYPE_CHECKING:
    from taskgraft.search.store.tokens import TokenTable

DatabaseUrl = Annotated[str | None, typer.Option(help="The service's database.")]
DataDir = Annotated[Path | None, typer.Option(help="The service's data folder.")]


@contextmanager
def _tokens(database_url: str | None, data_dir: Path | None, as_json: bool) -> Iterator["TokenTable"]:
    """Give the tokens of a database, found as `serve` finds it; errors become messages and an exit code."""
    from taskgraft.api.places import make_data_dir
    from taskgraft.api.settings import Settings
    from taskgraft.search.store import Store

    with errors_as_exit_codes(as_json):
        given = {"database_url": database_url, "data_dir": data_dir}
        settings = Settings.from_environment({name: value for name, value in given.items() if value is not None})
        make_data_dir(settings)
        with Store(settings.database_url) as store:
            yield store.tokens


def create(
    name: Annotated[str, typer.Argument(help="What the token is for.", metavar="NAME")],
    scope: Annotated[
        Scope,
        typer.Option(
            help="read: look at everything. write: make studies and datasets too, and change one's own. admin."
        ),
    ],
    expires_days: Annotated[
        int | None, typer.Option(help="Days that it is valid; without, until it is revoked.")
    ] = None,
    max_queued: Annotated[int | None, typer.Option(help="Studies that are not finished, at most.")] = None,
    max_bytes: Annotated[int | None, typer.Option(help="Bytes of uploaded datasets, unpacked, at most.")] = None,
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this once. From the first one on, the service asks for one."""
    with _tokens(database_url, data_dir, as_json) as tokens:
        lifetime = None if expires_days is None else timedelta(days=min(expires_days, 10**6))
        token, shown = tokens.create(name, scope, lifetime, Quota(max_queued, max_bytes))
        if as_json:
            print_json({**_plain(token), "token": shown})
        else:
            console.print(shown)
            errors.print(f"token {token.id}; it is not shown again. Clients take it from TASKGRAFT_TOKEN or --token")


def list_all(database_url: DatabaseUrl = None, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the tokens of a service, those that are no longer valid among them."""
    with _tokens(database_url, data_dir, as_json) as tokens:
        found = tokens.all()
        print_json([_plain(token) for token in found]) if as_json else _show(found)


def revoke(
    token_id: Annotated[str, typer.Argument(help="A token's id.", metavar="ID")],
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """End a token for good; the service stops taking it within a second."""
    with _tokens(database_url, data_dir, as_json) as tokens:
        token = tokens.revoke(token_id)
        print_json(_plain(token)) if as_json else console.print("revoked")


def _plain(token: Token) -> dict[str, Any]:
    moments = {name: getattr(token, name) for name in ("created_at", "expires_at", "last_used_at", "revoked_at")}
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope.value,
        "valid": token.is_valid(datetime.now(UTC)),
        **{name: moment and moment.isoformat() for name, moment in moments.items()},
        "max_queued": token.quota.queued,
        "max_bytes": token.quota.bytes,
    }


def _show(tokens: tuple[Token, ...]) -> None:
    table = Table("id", "name", "scope", "state", "created", "last used", "queued", "bytes")
    for token in tokens:
        limits = [count(limit) if limit is not None else "" for limit in (token.quota.queued, token.quota.bytes)]
        row = (token.id, token.name, token.scope.value, _state(token), _day(token.created_at), _day(token.last_used_at))
        table.add_row(*map(escape, (*row, *limits)))
    console.print(table)


def _state(token: Token) -> str:
    if token.revoked_at:
        return f"revoked {_day(token.revoked_at)}"
    if token.expires_at is None:
        return "valid"
    word = "valid until" if token.is_valid(datetime.now(UTC)) else "expired"
    return f"{word} {_day(token.expires_at)}"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d}"
