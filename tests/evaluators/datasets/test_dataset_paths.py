from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.datasets.paths import Containment, normalise


@pytest.mark.parametrize(
    ("given_path", "plain"),
    [("a.wav", "a.wav"), ("./a//b.wav", "a/b.wav"), ("a/./b.wav", "a/b.wav"), ("a b/ü.wav", "a b/ü.wav")],
)
def test_one_spelling(given_path: str, plain: str) -> None:
    assert normalise(given_path) == plain


@pytest.mark.parametrize("path", ["", ".", "./", "/etc/passwd", "//host/x", "..", "../a", "a/../b", "a\\b", "a\0b"])
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        normalise(path)


@given(st.text(st.sampled_from("./\\a\0"), max_size=12))
def test_what_is_accepted_stays_inside_and_is_stable(path: str) -> None:
    try:
        plain = normalise(path)
    except ValueError:
        return
    assert normalise(plain) == plain
    assert Path("/root", plain).resolve().is_relative_to("/root")


def test_links_are_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "root-secret"
    (root / "in").mkdir(parents=True)
    outside.mkdir()
    (outside / "x.wav").touch()
    (root / "in" / "x.wav").touch()
    (root / "file-out.wav").symlink_to(outside / "x.wav")
    (root / "file-in.wav").symlink_to(root / "in" / "x.wav")
    (root / "folder-out").symlink_to(outside)
    inside = Containment(root)
    assert [inside.holds(path) for path in ("in/x.wav", "file-in.wav", "in/none.wav", "none.wav")] == [True] * 4
    assert not inside.holds("file-out.wav")
    assert not inside.holds("folder-out/x.wav")
    assert not inside.holds("folder-out/none.wav")


def test_a_root_behind_a_link_holds_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.wav").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert Containment(tmp_path / "link").holds("x.wav")


def test_a_name_too_long_for_the_disk_is_no_crash(tmp_path: Path) -> None:
    assert Containment(tmp_path).holds("x" * 5_000)
