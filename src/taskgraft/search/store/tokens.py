"""API tokens in the database: made, listed, revoked; their secrets are kept as digests alone."""

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, exists, select, update

from taskgraft.errors import InvalidInput, NotFound
from taskgraft.search.store.database import Database
from taskgraft.search.store.tables import tokens, utc_now
from taskgraft.search.study.token import Quota, Scope, Token, check_token_name, digest, new_secret, show

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH = 8
_LONGEST = timedelta(days=36_500)


class TokenTable:
    """The tokens of one database. Every method is one transaction and may be called from any thread.

    All methods raise `Unavailable` if the database fails.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, name: str, scope: Scope, lifetime: timedelta | None = None, quota: Quota | None = None
    ) -> tuple[Token, str]:
        """Make a token; return it, and what its user keeps. That is known here and now only.

        Raises:
            InvalidInput: a name that breaks the rule, or a lifetime that is not above 0 and at most 100 years.
        """
        if lifetime is not None and not timedelta(0) < lifetime <= _LONGEST:
            raise InvalidInput.at("expires_days", f"above 0 and at most {_LONGEST.days}; got {lifetime.days}")
        quota = quota or Quota()
        token_id, secret = "".join(secrets.choice(_DIGITS) for _ in range(_ID_LENGTH)), new_secret()
        now = utc_now()
        values = {
            "id": token_id,
            "name": check_token_name(name),
            "scope": scope,
            "digest": digest(token_id, secret),
            "created_at": now,
            "expires_at": None if lifetime is None else now + lifetime,
            "max_queued": quota.queued,
            "max_bytes": quota.bytes,
        }
        with self._database.begin() as connection:
            row = connection.execute(tokens.insert().values(values).returning(*tokens.c)).one()
        return _to_token(row), show(token_id, secret)

    def all(self) -> tuple[Token, ...]:
        """Return all tokens ever made, oldest first."""
        query = select(tokens).order_by(tokens.c.created_at, tokens.c.id)
        with self._database.begin() as connection:
            return tuple(map(_to_token, connection.execute(query)))

    def digests(self) -> Mapping[str, tuple[Token, str]]:
        """Return all tokens ever made, each with the digest of its secret, by id."""
        with self._database.begin() as connection:
            return {row.id: (_to_token(row), row.digest) for row in connection.execute(select(tokens))}

    def exist(self) -> bool:
        """Return whether a token was ever made."""
        with self._database.begin() as connection:
            return bool(connection.execute(select(exists(select(tokens.c.id)))).scalar())

    def revoke(self, token_id: str) -> Token:
        """End a token for good. One that was revoked before stays as it is.

        Raises:
            NotFound: there is no token with this id.
        """
        known = tokens.c.id == token_id
        with self._database.begin() as connection:
            if token_id.isprintable():
                revoked = {"revoked_at": utc_now()}
                connection.execute(update(tokens).where(known, tokens.c.revoked_at.is_(None)).values(revoked))
                if row := connection.execute(select(tokens).where(known)).one_or_none():
                    return _to_token(row)
        raise NotFound(f"there is no token {token_id!r:.80}")

    def note_use(self, token_id: str, moment: datetime) -> None:
        """Keep that a token was used."""
        with self._database.begin() as connection:
            connection.execute(update(tokens).where(tokens.c.id == token_id).values(last_used_at=moment))


def _to_token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scope=row.scope,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
        quota=Quota(row.max_queued, row.max_bytes),
    )
