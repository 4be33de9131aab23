"""API tokens: what whoever shows one may do, and how their secrets are made and kept."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from taskgraft.errors import Fault, Forbidden, InvalidInput
from taskgraft.space.tasks import NAME_RULE, is_valid_name

_PREFIX = "tg"
_SHOWN = re.compile(rf"{_PREFIX}_(?P<id>[0-9a-z]{{1,16}})_(?P<secret>[A-Za-z0-9_-]{{43}})")
_SECRET_BYTES = 32
_PERSON = b"taskgraft.token"
"""Keeps these digests apart from other uses of the same hash (BLAKE2's parameter of that name)."""


class Scope(StrEnum):
    """What a token may do; each one includes those before it."""

    READ = "read"
    """Look at everything."""
    WRITE = "write"
    """Make studies and datasets, and change those that it made."""
    ADMIN = "admin"
    """Change everything."""

    def includes(self, needed: "Scope") -> bool:
        """Return whether this scope is at least ``needed``."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Quota:
    """How much a token may have; None means without limit.

    ``queued`` counts its studies that are not finished, ``bytes`` those of its uploaded datasets, unpacked.
    """

    queued: int | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        given = {"max_queued": self.queued, "max_bytes": self.bytes}
        faults = [
            Fault(name, f"0 or more; got {limit}") for name, limit in given.items() if limit is not None and limit < 0
        ]
        if faults:
            raise InvalidInput(faults)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the store knows it: all but its secret. ``last_used_at`` is some minutes old at most."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    quota: Quota = Quota()

    def is_valid(self, now: datetime) -> bool:
        """Return whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def may_change(self, made_by: str | None) -> bool:
        """Return whether it may change what the token ``made_by`` made (None: nobody's)."""
        return self.scope is Scope.ADMIN or (self.scope is Scope.WRITE and made_by == self.id)


def check_may_change(token: Token | None, made_by: str | None, what: str) -> None:
    """Check that a token may change a study or a dataset; without a token, the service is open to all.

    Raises:
        Forbidden: another token made it.
    """
    if token is not None and not token.may_change(made_by):
        owner = "was made without a token" if made_by is None else f"was made by token {made_by}"
        raise Forbidden(f"{what} {owner}: only that one and tokens of scope {Scope.ADMIN} may change it")


def check_token_name(name: str) -> str:
    """Return the name if a token may have it.

    Raises:
        InvalidInput: at ``name``.
    """
    if not is_valid_name(name):
        raise InvalidInput.at("name", f"a token's name has {NAME_RULE}; got {name!r:.80}")
    return name


def new_secret() -> str:
    """Return a new secret of 256 random bits."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def show(token_id: str, secret: str) -> str:
    """Return what its user keeps: ``tg_ID_SECRET``."""
    return f"{_PREFIX}_{token_id}_{secret}"


def read_shown(text: str) -> tuple[str, str] | None:
    """Return id and secret of what `show` made; None if it is something else."""
    found = _SHOWN.fullmatch(text)
    return None if found is None else (found["id"], found["secret"])


def digest(token_id: str, secret: str) -> str:
    """Return what is kept of a secret. It has 256 random bits, so that one fast hash is as good as a slow one."""
    return hashlib.blake2b(secret.encode(), digest_size=32, salt=token_id.encode(), person=_PERSON).hexdigest()


def is_same(first: str, second: str) -> bool:
    """Return whether two digests are equal, in a time that does not depend on how much of them is."""
    return hmac.compare_digest(first, second)
