"""`taskgraft token`: made once, listed for ever, ended at once; and what a service without any may listen on."""

from pathlib import Path

import pytest

from taskgraft.api.places import check_has_token, is_loopback
from taskgraft.api.settings import Settings
from taskgraft.search.store import Store, sqlite_url
from tests.api.cli.commands import taskgraft


def test_a_token_is_made_listed_and_revoked(tmp_path: Path) -> None:
    folder = ("--data-dir", tmp_path / "the data")
    options = ("--scope", "write", "--expires-days", "30", "--max-queued", "5", "--max-bytes", "1000000")
    made = taskgraft("token", "create", "ci", *options, *folder, "--json").document
    assert made["token"].startswith(f"tg_{made['id']}_")
    assert (made["name"], made["scope"], made["valid"]) == ("ci", "write", True)
    assert (made["max_queued"], made["max_bytes"], made["revoked_at"]) == (5, 1_000_000, None)
    text = taskgraft("token", "create", "me", "--scope", "admin", *folder)
    assert text.out.startswith("tg_")
    assert "not shown again" in text.err
    listed = taskgraft("token", "list", *folder, "--json").document
    assert [token["name"] for token in listed] == ["ci", "me"]
    assert "token" not in listed[0]
    assert taskgraft("token", "revoke", made["id"], *folder, "--json").document["valid"] is False
    shown = taskgraft("token", "list", *folder)
    assert "revoked" in shown.out
    assert made["token"] not in shown.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "a b", "--scope", "read"], "name: a token's name has"),
        (["create", "a", "--scope", "read", "--expires-days", "0"], "expires_days: above 0"),
        (["create", "a", "--scope", "read", "--expires-days", "99999999"], "expires_days: above 0"),
        (["create", "a", "--scope", "read", "--max-queued", "-1"], "max_queued: 0 or more"),
        (["revoke", "zzz"], "there is no token 'zzz'"),
    ],
)
def test_what_breaks_a_rule_is_bad_input(tmp_path: Path, arguments: list[str], message: str) -> None:
    said = taskgraft("token", *arguments, "--data-dir", tmp_path)
    assert said.code == 2
    assert message in said.err


def test_a_scope_is_one_of_three(tmp_path: Path) -> None:
    said = taskgraft("token", "create", "a", "--scope", "root", "--data-dir", tmp_path)
    assert said.code == 2
    assert "read" in said.err


def test_a_service_for_other_machines_needs_a_token(tmp_path: Path) -> None:
    said = taskgraft("serve", "--host", "0.0.0.0", "--port", "0", "--no-runner", "--data-dir", tmp_path)
    assert said.code == 2
    assert "taskgraft token create" in said.err
    with Store(sqlite_url(tmp_path / "taskgraft.db")) as store:
        assert not store.tokens.exist()


def test_with_a_token_it_may_listen_for_them(tmp_path: Path) -> None:
    taskgraft("token", "create", "me", "--scope", "admin", "--data-dir", tmp_path)
    settings = Settings(data_dir=tmp_path, host="0.0.0.0")
    with Store(settings.database_url) as store:
        check_has_token(settings, store)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_an_address_of_this_machine_alone_needs_none(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "fe80::1", "example.org", "localhost.example.org"])
def test_every_other_address_does(host: str) -> None:
    assert not is_loopback(host)
