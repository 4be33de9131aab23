"""Tokens as values: scopes, owners, validity, and what is kept of a secret."""

from datetime import UTC, datetime, timedelta

import pytest

from taskgraft.errors import Forbidden, InvalidInput
from taskgraft.search.study.token import (
    Quota,
    Scope,
    Token,
    check_may_change,
    digest,
    is_same,
    new_secret,
    read_shown,
    show,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READ, WRITE, ADMIN = Scope


def token(scope: Scope = WRITE, **more: object) -> Token:
    return Token("abc", "tests", scope, NOW, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("needed", Scope)
def test_a_scope_includes_those_before_it(scope: Scope, needed: Scope) -> None:
    order = [READ, WRITE, ADMIN]
    assert scope.includes(needed) == (order.index(scope) >= order.index(needed))


def test_a_token_changes_what_it_made_and_admin_changes_all() -> None:
    assert token(WRITE).may_change("abc")
    assert not token(WRITE).may_change("other")
    assert not token(WRITE).may_change(None)
    assert token(ADMIN).may_change("other")
    assert token(ADMIN).may_change(None)
    assert not token(READ).may_change("abc")


def test_whose_it_is_is_said() -> None:
    check_may_change(None, "abc", "study 1")
    check_may_change(token(), "abc", "study 1")
    with pytest.raises(Forbidden, match="study 1 was made by token other: only that one and tokens of scope admin"):
        check_may_change(token(), "other", "study 1")
    with pytest.raises(Forbidden, match="study 1 was made without a token"):
        check_may_change(token(), None, "study 1")


def test_a_token_is_valid_until_it_expires_or_is_revoked() -> None:
    assert token().is_valid(NOW)
    assert token(expires_at=NOW + timedelta(seconds=1)).is_valid(NOW)
    assert not token(expires_at=NOW).is_valid(NOW)
    assert not token(revoked_at=NOW).is_valid(NOW)


def test_what_is_shown_is_read_back() -> None:
    secret = new_secret()
    assert len(secret) == 43
    assert read_shown(show("0a1b", secret)) == ("0a1b", secret)
    assert new_secret() != secret


@pytest.mark.parametrize(
    "text", ["", "tg", "tg__", "tg_a_b", f"tg_a_{'x' * 44}", f"TG_a_{'x' * 43}", f"tg_é_{'x' * 43}"]
)
def test_what_is_no_token_is_not_read(text: str) -> None:
    assert read_shown(text) is None


def test_a_digest_depends_on_id_and_secret_and_tells_neither() -> None:
    secret = new_secret()
    assert is_same(digest("a", secret), digest("a", secret))
    assert not is_same(digest("a", secret), digest("b", secret))
    assert not is_same(digest("a", secret), digest("a", new_secret()))
    assert secret not in digest("a", secret)


def test_a_quota_is_not_below_zero() -> None:
    assert Quota(0, 0) == Quota(queued=0, bytes=0)
    with pytest.raises(InvalidInput) as error:
        Quota(-1, -2)
    assert [fault.where for fault in error.value.faults] == ["max_queued", "max_bytes"]
