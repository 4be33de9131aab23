"""The files of a study behind its fence: a runner that lost the study changes none of them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from taskgraft.errors import LeaseLost, Unavailable
from taskgraft.search.running.artifacts import (
    Checkpoints,
    remove_earlier_tune_dirs,
    replacing_artifacts,
    study_dir,
    tune_dir,
)
from taskgraft.search.running.fence import OPEN, LeaseFence
from taskgraft.search.running.patience import Patience
from taskgraft.search.store import Store
from taskgraft.search.study.lease import Lease
from taskgraft.search.study.trial import Training
from taskgraft.space.tree import BranchTree
from tests.search.store.samples import LONG, ME, OTHER, OVER, make_study
from tests.stores import new_store

PAIR = Training(BranchTree.flat("ab", 5, 8))
PROBE = Training(PAIR.tree, is_probe=True)


class Files:
    """The files of one study, as two runners see them of which the first has lost it."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.study = make_study(store).id
        self.first = store.acquire_study(self.study, ME, OVER).lease
        self.second: Lease | None = None

    def checkpoints(self, lease: Lease) -> Checkpoints:
        return Checkpoints(self.folder, self.study, self.fence(lease))

    def fence(self, lease: Lease) -> LeaseFence:
        return LeaseFence(self.store, lease, Patience())

    def hand_over(self) -> Lease:
        self.second = self.store.acquire_study(self.study, OTHER, LONG).lease
        return self.second

    def deliver(self, lease: Lease, content: bytes, meanwhile: Callable[[], object] = lambda: None) -> None:
        with replacing_artifacts(self.folder, lease, self.fence(lease)) as building:
            (building / "model").write_bytes(content)
            meanwhile()

    def all(self) -> dict[str, bytes]:
        folder = study_dir(self.folder, self.study)
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with new_store(tmp_path / "store.db") as store:
        yield Files(store, tmp_path)


def test_a_runner_that_lost_its_study_changes_no_file(files: Files, tmp_path: Path) -> None:
    own, source = files.checkpoints(files.first), Checkpoints(tmp_path, "another")
    for checkpoints in (own, source):
        checkpoints.save(PAIR, b"weights")
        checkpoints.save_state(PROBE, b"state")
    files.deliver(files.first, b"model")
    left_over = tune_dir(tmp_path, files.first).with_name("tune")
    left_over.mkdir()
    (left_over / "record").write_bytes(b"of the holder")
    files.hand_over()
    before = files.all()
    for act in (
        lambda: own.save(PAIR, b"other"),
        lambda: own.save_state(PROBE, b"other"),
        lambda: own.take_over("another", PAIR, Training(PAIR.tree, 1)),
        lambda: own.take_over_state("another", PROBE, Training(PAIR.tree, 1, is_probe=True)),
        lambda: own.drop_state(PROBE),
        own.drop_states,
        lambda: files.deliver(files.first, b"other"),
        lambda: remove_earlier_tune_dirs(tmp_path, files.first, files.fence(files.first)),
    ):
        with pytest.raises(LeaseLost):
            act()
        assert files.all() == before
    assert own.load(PAIR) == b"weights"


def test_a_study_that_is_lost_while_a_file_is_written_keeps_the_file_of_the_holder(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = files.checkpoints(files.first)
    write = Path.write_bytes

    def slowly(path: Path, content: bytes) -> int:
        if content == b"of the first":
            files.checkpoints(files.hand_over()).save(PAIR, b"of the second")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", slowly)
    with pytest.raises(LeaseLost):
        own.save(PAIR, b"of the first")
    assert list(files.all().values()) == [b"of the second"]


def test_a_bundle_that_was_delivered_is_not_replaced_by_a_runner_that_lost_the_study(files: Files) -> None:
    """It is overtaken while it builds; what it has built so far is removed by the one that delivers."""

    def overtake() -> None:
        files.deliver(files.hand_over(), b"of the second")

    with pytest.raises((LeaseLost, Unavailable)):
        files.deliver(files.first, b"of the first", overtake)
    assert files.all() == {"artifacts/model": b"of the second"}


def test_the_holder_replaces_what_it_delivered_and_removes_what_others_left(files: Files) -> None:
    files.deliver(files.first, b"once")
    left_over = study_dir(files.folder, files.study) / ".artifacts-0-killed"
    left_over.mkdir()
    files.deliver(files.first, b"twice")
    assert files.all() == {"artifacts/model": b"twice"}
    assert [path.name for path in study_dir(files.folder, files.study).iterdir()] == ["artifacts"]


def test_each_taking_has_a_tune_folder_and_removes_those_of_others(files: Files) -> None:
    first = tune_dir(files.folder, files.first)
    first.mkdir(parents=True)
    second = tune_dir(files.folder, files.hand_over())
    second.mkdir()
    assert first != second
    assert files.second
    remove_earlier_tune_dirs(files.folder, files.second, files.fence(files.second))
    assert not first.exists()
    assert second.exists()


def test_who_lost_a_study_just_after_passing_the_fence_leaves_what_later_holders_have_under_way(files: Files) -> None:
    theirs = tune_dir(files.folder, files.hand_over())
    theirs.mkdir(parents=True)
    building = theirs.with_name(".artifacts-2-abcdefgh")
    building.mkdir()
    old = [theirs.with_name(name) for name in ("tune", "tune-0", ".artifacts-abcdefgh", ".artifacts-0-abcdefgh")]
    for folder in old:
        folder.mkdir()
    remove_earlier_tune_dirs(files.folder, files.first, OPEN)
    with replacing_artifacts(files.folder, files.first, OPEN):
        assert building.is_dir()
        assert theirs.is_dir()
        assert not any(folder.exists() for folder in old)


def test_many_writers_of_one_checkpoint_never_fail(tmp_path: Path) -> None:
    """Runners that believe to hold a study, and threads of one."""
    weights = [bytes([number]) * 100_000 for number in range(4)]
    start = threading.Barrier(4)

    def save(content: bytes) -> None:
        checkpoints = Checkpoints(tmp_path, "study")
        start.wait()
        for _ in range(50):
            checkpoints.save(PAIR, content)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(save, weights))
    assert Checkpoints(tmp_path, "study").load(PAIR) in weights
    assert not list(tmp_path.rglob("*.partial"))


def test_what_a_killed_runner_had_half_written_is_removed_by_the_next(files: Files) -> None:
    files.checkpoints(files.first).save(PAIR, b"weights")
    (whole,) = study_dir(files.folder, files.study).rglob("*.safetensors")
    whole.with_name(f"{whole.name}.0123456789abcdef.partial").write_bytes(b"wei")
    files.checkpoints(files.hand_over()).drop_partials()
    assert list(files.all().values()) == [b"weights"]


def test_the_fence_is_asked_nothing_if_there_is_nothing_to_delete(files: Files) -> None:
    """A study of thousands of trainings asks for each whether the state of its probe is there."""
    own = files.checkpoints(files.first)
    files.hand_over()
    own.drop_state(PROBE)
    own.drop_states()
    own.drop_partials()
