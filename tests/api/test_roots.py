"""Manifests under allowed roots."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskgraft.api import roots
from taskgraft.api.roots import signature


def test_a_folder_of_millions_of_files_is_not_listed_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(40):
        (tmp_path / f"{place}.wav").touch()
    listed: list[str] = []

    class Counted:
        def __init__(self, folder: str) -> None:
            self._entries = scandir(folder)

        def __enter__(self) -> Iterator["os.DirEntry[str]"]:
            return (listed.append(entry.name) or entry for entry in self._entries)  # type: ignore[func-returns-value]

        def __exit__(self, *error: object) -> None:
            self._entries.close()

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", Counted)
    monkeypatch.setattr(roots, "_MAX_LISTED", 10)
    assert signature(tmp_path / "manifest.csv") is None
    assert len(listed) == 11
    monkeypatch.setattr(roots, "_MAX_LISTED", 40)
    assert signature(tmp_path / "manifest.csv")
