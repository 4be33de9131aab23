import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from taskgraft.errors import Conflict, InvalidInput, Unavailable
from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.evaluators.datasets.demo_speech import build_demo_speech
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import Corpus, read_corpus
from taskgraft.evaluators.kinds.frames import FrameTargets
from taskgraft.evaluators.kinds.registry import task_targets
from taskgraft.space.tasks import TaskKind

from .corpora import needs_synthesizer

pytestmark = needs_synthesizer

CLIPS = 60
RATE = 16_000


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_demo_speech(tmp_path_factory.mktemp("demo") / "a corpus", CLIPS, seed=5)


@pytest.fixture(scope="module")
def corpus(manifest: Path) -> Corpus:
    return read_corpus(manifest)


def speech(corpus: Corpus) -> Iterator[tuple[int, np.ndarray[tuple[int], np.dtype[np.float32]], slice]]:
    """Every clip with its waveform and where in it somebody speaks."""
    for clip, ((onset, offset),) in corpus.segments["speech"].items():
        yield clip, read_audio(corpus.audio(clip), RATE), slice(round(onset * RATE), round(offset * RATE))


def pitch(voice: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    """Median fundamental frequency in hertz, by autocorrelation over 50 ms."""
    found = []
    for start in range(0, len(voice) - 800, 160):
        window = voice[start : start + 800] - voice[start : start + 800].mean()
        correlation = np.correlate(window, window, "full")[799:]
        lag = 40 + int(correlation[40:266].argmax())
        if correlation[lag] > 0.6 * correlation[0]:
            found.append(RATE / lag)
    return float(np.median(found)) if found else float("nan")


def test_the_check_finds_nothing_wrong(manifest: Path) -> None:
    report = check_manifest(manifest)
    assert report.faults == ()
    assert report.warnings == ()
    assert (report.clips, report.seconds, report.sample_rates) == (CLIPS, 60.0, {RATE: CLIPS})
    assert 0.2 * 60 < (report.events["speech"].seconds or 0) < 0.6 * 60


def test_all_tasks_have_targets(corpus: Corpus) -> None:
    sizes = {name: len(task_targets(corpus, name, TaskKind.CLIP).label_set) for name in corpus.labels}
    assert sizes == {"gender": 2, "age_group": 3, "dialect": 5, "word": 10, "intent": 4}
    frames = task_targets(corpus, "speech", TaskKind.FRAMES)
    assert isinstance(frames, FrameTargets)
    assert frames.labelled.all()


def test_speech_is_louder_than_what_is_around_it(corpus: Corpus) -> None:
    ratios = []
    for _, waveform, voice in speech(corpus):
        around = np.concatenate([waveform[: voice.start], waveform[voice.stop :]])
        ratios.append(10 * np.log10(np.mean(waveform[voice] ** 2) / np.mean(around**2)))
        assert 0.17 < np.abs(waveform).max() < 0.9
    assert min(ratios) > 2
    assert 10 < np.median(ratios) < 22


def test_genders_and_ages_can_be_heard(corpus: Corpus) -> None:
    kinds: dict[tuple[str, str], list[float]] = {}
    seconds: dict[str, list[float]] = {}
    for clip, waveform, voice in speech(corpus):
        gender, age = corpus.labels["gender"][clip], corpus.labels["age_group"][clip]
        kinds.setdefault((gender, age), []).append(pitch(waveform[voice]))
        seconds.setdefault(age, []).append((voice.stop - voice.start) / RATE)
    hertz = {kind: float(np.nanmedian(values)) for kind, values in kinds.items()}
    for age in ("young", "adult", "senior"):
        assert hertz["female", age] > 1.4 * hertz["male", age]
    for gender in ("female", "male"):
        assert hertz[gender, "young"] > 1.1 * max(hertz[gender, "adult"], hertz[gender, "senior"])
    assert np.median(seconds["senior"]) > np.median(seconds["adult"]) > np.median(seconds["young"])


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(manifest: Path, tmp_path: Path) -> None:
    again, other = (build_demo_speech(tmp_path / f"seed-{seed}", CLIPS, seed) for seed in (5, 6))
    assert fingerprint(read_corpus(again)) == fingerprint(read_corpus(manifest))
    assert fingerprint(read_corpus(other)) != fingerprint(read_corpus(manifest))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["seed-5", "seed-6"]


def test_progress_counts_the_clips(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    build_demo_speech(tmp_path / "new" / "corpus", 40, progress=lambda *step: seen.append(step))
    assert seen == [(done, 40) for done in range(1, 41)]


def test_a_build_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:

    def stop(done: int, _total: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_demo_speech(tmp_path / "corpus", 40, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_not_overwritten(manifest: Path) -> None:
    before = manifest.read_bytes()
    with pytest.raises(Conflict, match="already there"):
        build_demo_speech(manifest.parent, 40)
    assert manifest.read_bytes() == before


def test_one_who_comes_second_does_not_overwrite(tmp_path: Path) -> None:
    root = tmp_path / "corpus"

    def interfere(done: int, total: int) -> None:
        if done == total:
            root.mkdir()
            (root / "manifest.csv").write_text("theirs")

    with pytest.raises(Conflict, match="meanwhile"):
        build_demo_speech(root, 40, progress=interfere)
    assert (root / "manifest.csv").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_faults_of_the_request_and_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="at least 40 clips"):
        build_demo_speech(tmp_path / "corpus", 3)
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="can't be written"):
        build_demo_speech(tmp_path / "file" / "corpus", 40)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(Unavailable, match="taskgraft"):
        build_demo_speech(tmp_path / "corpus", 40)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
