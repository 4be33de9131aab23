"""The training loop on its own: against a bare PyTorch loop, against the processor's matrix peak, and its memory.

``python -m benchmarks.loop`` prints all three. Everything runs on one thread.
"""

import pickle
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from taskgraft.evaluators.batches import TrainBatches
from taskgraft.evaluators.datasets.demo_speech import build_demo_speech
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.features import FeaturePack, Normalisation
from taskgraft.evaluators.kinds.clip import ClipLabels
from taskgraft.evaluators.kinds.frames import FrameLabels
from taskgraft.evaluators.kinds.task_data import TaskData
from taskgraft.evaluators.losses import joint_loss
from taskgraft.evaluators.memory import keep_freed_memory
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.precision import has_bfloat16
from taskgraft.evaluators.study_data import StudyData, load_study_data
from taskgraft.evaluators.threads import use_one_thread
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.cost import tree_cost
from taskgraft.space.tasks import Task, TaskKind
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree

_CLIPS = 400
_BATCH = 64
_EPOCHS = 30
"""A study's default; there are 15 evaluations then."""
_ROUNDS = 3
_MATRIX = 1024
_SHORT_CLIP = 32
"""Frames of a simulated clip: 0.32 s, so that an epoch of 100,000 clips takes seconds."""


def main() -> None:
    use_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        data = study_data(Path(folder))
        print(f"speed over a bare loop, {_EPOCHS} epochs: {loop_ratio(data):.2f}; 6 epochs: {loop_ratio(data, 6):.2f}")
        print(f"share of the matrix peak: {matrix_peak_share(data):.3f}")
    small, large = worker_memory(1_000), worker_memory(100_000)
    print(f"peak anonymous memory of a worker: {small / 2**20:.0f} MiB with 1,000 clips, {large / 2**20:.0f} MiB with ")
    print(f"100,000: {(large - small) / 99_000:.0f} bytes a clip")


def study_data(folder: Path) -> StudyData:
    """Make one clip task and one frames task on a small corpus of synthetic speech."""
    build_demo_speech(folder / "speech", _CLIPS)
    word = {"name": "word", "dataset": "speech/manifest.csv", "target": "word"}
    vad = {"name": "vad", "dataset": "speech/manifest.csv", "target": "speech", "kind": "frames"}
    prepared = prepare(StudySpec.parse({"ar_threshold": 0.02, "tasks": [word, vad]}), data_dir=folder, base=folder)
    template = get_template("cnn8")
    return load_study_data(prepared.corpora, prepared.fingerprints(), prepared.labelled, template, folder / "features")


def loop_ratio(data: StudyData, epochs: int = _EPOCHS) -> float:
    """Return the speed of our loop with evaluations over that of a loop with only the model; fastest rounds."""
    tree = _flat(data)
    ours, bare = our_loop(tree, data, epochs), bare_loop(tree, data, _steps(data, epochs))
    our_loop(tree, data, 1)()  # the first steps pay for compiling kernels
    bare_loop(tree, data, 1)()
    rounds = [(_seconds(ours), _seconds(bare)) for _ in range(_ROUNDS)]
    return min(seconds for _, seconds in rounds) / min(seconds for seconds, _ in rounds)


def our_loop(tree: BranchTree, data: StudyData, epochs: int) -> Callable[[], None]:
    """Run a whole training as a study does."""

    def run() -> None:
        trainer = Trainer(tree, data, Schedule(epochs, _BATCH, Optimisation(1e-3)), seed=0)
        while not trainer.finished:
            trainer.advance()

    return run


def bare_loop(tree: BranchTree, data: StudyData, steps: int) -> Callable[[], None]:
    """Run forward, backward and step on one batch that lies ready in memory: no gathering, no masks, no evaluation."""
    keep_freed_memory()  # as ours does: what is compared is the loop
    tasks = list(data.tasks.values())
    batch = next(islice(TrainBatches(data, tasks, _BATCH, np.random.default_rng(0)), 1))
    features = data.normalisation(batch.features).contiguous(memory_format=torch.channels_last)
    model = TreeModel(tree, data.template, [task.task for task in tasks])
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)

    def run() -> None:
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16()):
                scores = model(features, batch.rows)
            optimizer.zero_grad(set_to_none=True)
            joint_loss(data.tasks, scores, batch.targets).backward()  # type: ignore[no-untyped-call]
            optimizer.step()

    return run


def matrix_peak_share(data: StudyData, epochs: int = 6) -> float:
    """Return operations per second of our loop over those of a matrix product in the precision of training.

    A step is counted as three forward passes (Kaplan et al., Scaling laws for neural language models, 2020, section
    2.1); evaluations take time and count for nothing.
    """
    tree = _flat(data)
    per_second = tree_cost(tree, data.template, [task.task for task in data.tasks.values()]).macs_per_second or 0
    per_clip = per_second * data.crop / data.template.front_end.frames_per_second
    our_loop(tree, data, 1)()
    seconds = min(_seconds(our_loop(tree, data, epochs)) for _ in range(_ROUNDS))
    return 3 * 2 * per_clip * _BATCH * _steps(data, epochs) / seconds / matrix_peak()


def matrix_peak() -> float:
    """Return floating-point operations per second in a product of two matrices, bfloat16 if the processor has it."""
    square = torch.ones(_MATRIX, _MATRIX, dtype=torch.bfloat16 if has_bfloat16() else torch.float32)
    torch.mm(square, square)
    return 2 * _MATRIX**3 / min(_seconds(lambda: torch.mm(square, square)) for _ in range(20))


def worker_memory(clips: int) -> int:
    """Return the peak anonymous memory, in bytes, of a process that trains an epoch on ``clips`` simulated clips.

    Pages of mapped files are not counted: the kernel takes them back whenever it likes. Labels are mapped, too: Ray's
    workers map the one copy of them that its object store holds.
    """
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(1, get_context("spawn")) as processes:
        arrays: list[pickle.PickleBuffer] = []
        packed = pickle.dumps(simulated_data(Path(folder), clips), protocol=5, buffer_callback=arrays.append)
        places = [Path(folder) / f"array-{place}" for place in range(len(arrays))]
        for place, array in zip(places, arrays, strict=True):
            place.write_bytes(array.raw())
        return processes.submit(_train_and_watch, packed, places).result()


def simulated_data(folder: Path, clips: int) -> StudyData:
    """Make a clip task and a frames task on a corpus of silence, whose features are holes in a file."""
    template = get_template("cnn8")
    lengths = np.full(clips, _SHORT_CLIP, np.int32)
    rows, bands = 1 + clips * _SHORT_CLIP, template.front_end.rows
    np.save(folder / "lengths.npy", lengths)
    np.lib.format.open_memmap(folder / "frames.npy", mode="w+", dtype=np.float16, shape=(rows, bands)).flush()
    order = np.arange(clips, dtype=np.int32)
    ends = {Split.TRAIN: (0.0, 0.7), Split.VALIDATION: (0.7, 0.85), Split.TEST: (0.85, 1.0)}
    splits = {split: order[round(start * clips) : round(end * clips)] for split, (start, end) in ends.items()}
    tasks = {
        "word": _simulated_task("word", TaskKind.CLIP, clips, splits),
        "vad": _simulated_task("vad", TaskKind.FRAMES, rows, splits),
    }
    normalisation = Normalisation(np.zeros(bands, np.float32), np.ones(bands, np.float32))
    return StudyData(template, {"silence": FeaturePack.open(folder)}, tasks, normalisation, _SHORT_CLIP)


def _simulated_task(name: str, kind: TaskKind, targets: int, splits: Mapping[Split, NDArray[np.int32]]) -> TaskData:
    answers = (np.arange(targets) % 2).astype(np.int16)
    labels = ClipLabels(answers) if kind is TaskKind.CLIP else FrameLabels(answers)
    weights = np.ones(2, np.float32)
    return TaskData(Task(name, kind, 2), "silence", "accuracy", ("no", "yes"), labels, dict(splits), weights)


def _train_and_watch(packed: bytes, arrays: Sequence[Path]) -> int:
    data: StudyData = pickle.loads(packed, buffers=[_mapped(array) for array in arrays])
    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.01):
            peak = max(peak, anonymous_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    our_loop(_flat(data), data, 1)()
    over.set()
    watcher.join()
    return peak


def _mapped(array: Path) -> NDArray[np.uint8]:
    """Return the bytes of a file, mapped; an empty file can't be mapped."""
    return np.memmap(array, mode="r") if array.stat().st_size else np.empty(0, np.uint8)


def anonymous_memory() -> int:
    """Return this process's resident memory that no file stands behind, in bytes (Linux)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return sum(int(status[name].split()[0]) * 1024 for name in ("RssAnon", "RssShmem"))


def _flat(data: StudyData) -> BranchTree:
    return BranchTree.flat(list(data.tasks), data.template.depth, data.template.depth)


def _steps(data: StudyData, epochs: int) -> int:
    return Schedule(epochs, _BATCH, Optimisation(1e-3)).steps(data.epoch_clips)


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
