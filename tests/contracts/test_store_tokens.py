"""Tokens in every database: made, revoked, owners of studies and datasets, quotas that hold under a race."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from taskgraft.errors import Forbidden, InvalidInput, NotFound, QuotaExceeded, TaskgraftError
from taskgraft.search.store import Store
from taskgraft.search.store.urls import parse_url
from taskgraft.search.study.dataset import Uploaded
from taskgraft.search.study.token import Quota, Scope, Token, digest, read_shown
from tests.search.store.samples import make_spec


def make(store: Store, scope: Scope = Scope.WRITE, **quota: int) -> Token:
    return store.tokens.create("tests", scope, quota=Quota(**quota))[0]


def test_a_token_is_made_listed_used_and_revoked(store: Store) -> None:
    assert not store.tokens.exist()
    made, shown = store.tokens.create("ci.1", Scope.READ, timedelta(days=2), Quota(3, 2**40))
    assert (made.name, made.scope, made.quota) == ("ci.1", Scope.READ, Quota(3, 2**40))
    assert made.expires_at == made.created_at + timedelta(days=2)
    token_id, secret = read_shown(shown) or ("", "")
    assert store.tokens.digests() == {token_id: (made, digest(token_id, secret))}
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    store.tokens.note_use(made.id, moment)
    (found,) = store.tokens.all()
    assert found.last_used_at == moment
    revoked = store.tokens.revoke(made.id)
    assert revoked.revoked_at
    assert store.tokens.revoke(made.id) == revoked
    assert store.tokens.exist()


def test_the_secret_itself_is_nowhere_in_the_database(store: Store, url: str) -> None:
    _, shown = store.tokens.create("tests", Scope.ADMIN)
    secret = shown.rpartition("_")[2]
    engine = create_engine(parse_url(url))
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT * FROM taskgraft_tokens")).all()
    engine.dispose()
    assert secret not in str(rows)


@pytest.mark.parametrize("token_id", ["", "zzzzzzzz", "\0", "é" * 99])
def test_a_token_that_is_none_cannot_be_revoked(store: Store, token_id: str) -> None:
    with pytest.raises(NotFound, match="there is no token"):
        store.tokens.revoke(token_id)


def test_names_and_lifetimes_are_checked(store: Store) -> None:
    for name in ("", "a b", "x" * 65):
        with pytest.raises(InvalidInput, match="a token's name has"):
            store.tokens.create(name, Scope.READ)
    for days in (0, -1, 40_000):
        with pytest.raises(InvalidInput, match="expires_days: above 0 and at most 36500"):
            store.tokens.create("a", Scope.READ, timedelta(days=days))
    assert store.tokens.all() == ()


def test_a_study_belongs_to_its_token(store: Store) -> None:
    token = make(store)
    study, _ = store.create_study(make_spec(), token=token)
    assert study.made_by == token.id
    assert store.get_study(study.id).made_by == token.id
    assert store.create_study(make_spec())[0].made_by is None


def test_as_many_studies_as_the_quota_says_may_be_open(store: Store) -> None:
    token, other = make(store, queued=2), make(store, queued=1)
    first, _ = store.create_study(make_spec(), token=token, idempotency_key="a")
    store.create_study(make_spec(), token=token)
    with pytest.raises(QuotaExceeded, match=r"may have 2 studies that are not finished; this would be number 3"):
        store.create_study(make_spec(), token=token)
    assert len(store.list_studies().items) == 2
    assert store.create_study(make_spec(), token=token, idempotency_key="a") == (first, False)
    store.create_study(make_spec(), token=other)
    store.pause_study(first.id)
    with pytest.raises(QuotaExceeded):
        store.create_study(make_spec(), token=token)
    store.cancel_study(first.id)
    store.create_study(make_spec(), token=token)


def test_requests_at_once_do_not_get_past_the_quota(store: Store) -> None:
    token = make(store, queued=3)

    def create(_: int) -> bool:
        try:
            store.create_study(make_spec(), token=token)
        except QuotaExceeded:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(create, range(16))) == 3
    assert len(store.list_studies().items) == 3


def add(store: Store, name: str, token: Token | None, stored: int = 0) -> Any:
    return store.datasets.add(name, Uploaded(f"{name}-{stored}"), f"{stored}", token=token, stored_bytes=stored)[0]


def test_a_dataset_belongs_to_who_made_its_first_version(store: Store) -> None:
    mine, other, admin = make(store), make(store), make(store, Scope.ADMIN)
    assert add(store, "kitchen", mine, 1).made_by == mine.id
    for act in (
        lambda: add(store, "kitchen", other, 2),
        lambda: store.datasets.delete("kitchen", other),
        lambda: store.datasets.check_room("kitchen", other, 0),
    ):
        with pytest.raises(Forbidden, match=f"dataset kitchen was made by token {mine.id}"):
            act()
    assert add(store, "kitchen", other, 1).version == 1, "the same content changes nothing"
    assert (add(store, "kitchen", admin, 2).made_by, store.datasets.get("kitchen").version) == (mine.id, 2)
    assert len(store.datasets.delete("kitchen", mine)) == 2
    add(store, "nobodys", None)
    with pytest.raises(Forbidden, match="was made without a token"):
        store.datasets.delete("nobodys", mine)
    assert store.datasets.delete("nobodys", admin)


def test_as_many_bytes_as_the_quota_says_may_be_stored(store: Store) -> None:
    token = make(store, bytes=3 * 2**40)
    add(store, "one", token, 2**40)
    add(store, "one", token, 2**41)
    with pytest.raises(QuotaExceeded, match=r"may store 3,298,534,883,328 bytes.*would be 3,298,534,883,329"):
        add(store, "two", token, 1)
    with pytest.raises(NotFound):
        store.datasets.get("two")
    with pytest.raises(QuotaExceeded):
        store.datasets.check_room("two", token, 1)
    store.datasets.check_room("two", token, 0)
    store.datasets.check_room("one", token, 2**41)
    assert add(store, "one", token, 2**41).version == 2, "the same content again takes no room"
    store.datasets.delete("one", token)
    add(store, "two", token, 1)


def test_uploads_at_once_do_not_get_past_the_quota(store: Store) -> None:
    token = make(store, bytes=30)

    def upload(number: int) -> bool:
        try:
            add(store, f"d{number}", token, 10)
        except TaskgraftError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(upload, range(12))) == 3
    assert len(store.datasets.page().items) == 3
