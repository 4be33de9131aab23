"""``make bench``: ratios measured in one run on this machine.

So far: the training loop against a bare PyTorch loop on the same model, and the growth of synthesis. The comparison of
whole searches (plain sweep against ours) does not exist yet. `benchmarks.synthesis` and `benchmarks.certainty` make the
tables of docs/synthesis.md and docs/statistics.md.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from taskgraft.evaluators.batches import train_batches
from taskgraft.evaluators.datasets.demo_speech import build_demo_speech
from taskgraft.evaluators.losses import joint_loss
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.study_data import StudyData, load_study_data
from taskgraft.evaluators.threads import use_one_thread
from taskgraft.evaluators.training import Schedule, Trainer, has_bfloat16
from taskgraft.search.preparation import prepare
from taskgraft.search.spec import StudySpec
from taskgraft.space.matrix import Cell, ReductionMatrix
from taskgraft.space.synthesis import synthesize
from taskgraft.space.template import get_template
from taskgraft.space.tree import BranchTree

_CLIPS = 400
_BATCH = 64
_STEPS = 24
_ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args()
    use_one_thread()
    with tempfile.TemporaryDirectory() as folder:
        found = {"loop_over_bare_loop": loop_ratio(study_data(Path(folder)))}
    found["synthesis_1000_over_500"] = _seconds(lambda: planted(1000)) / _seconds(lambda: planted(500))
    for name, value in found.items():
        print(f"{name}: {value:.2f}")
    if options.json:
        print(json.dumps(found))


def study_data(folder: Path) -> StudyData:
    """One clip task and one frames task on a small corpus of synthetic speech."""
    build_demo_speech(folder / "speech", _CLIPS)
    word = {"name": "word", "dataset": "speech/manifest.csv", "target": "word"}
    vad = {"name": "vad", "dataset": "speech/manifest.csv", "target": "speech", "kind": "frames"}
    prepared = prepare(StudySpec.parse({"ar_threshold": 0.02, "tasks": [word, vad]}), data_dir=folder, base=folder)
    template = get_template("cnn8")
    return load_study_data(prepared.corpora, prepared.fingerprints(), prepared.labelled, template, folder / "features")


def loop_ratio(data: StudyData) -> float:
    """Speed of our loop, evaluations included, over that of a loop with nothing but the model; fastest rounds."""
    tree = BranchTree.flat(list(data.tasks), 8, 8)
    per_epoch = -(-data.epoch_clips // _BATCH)
    epochs = -(-_STEPS // per_epoch)

    def ours() -> None:
        trainer = Trainer(tree, data, Schedule(epochs, _BATCH, 1e-3), seed=0)
        while not trainer.finished:
            trainer.advance()

    bare = bare_loop(tree, data, epochs * per_epoch)
    ours()  # the first rounds pay for compiling kernels
    bare()
    rounds = [(_seconds(ours), _seconds(bare)) for _ in range(_ROUNDS)]
    return min(seconds for _, seconds in rounds) / min(seconds for seconds, _ in rounds)


def bare_loop(tree: BranchTree, data: StudyData, steps: int) -> Callable[[], None]:
    """Forward, backward, step on one batch that lies ready in memory: no gathering, no masks, no evaluation."""
    tasks = list(data.tasks.values())
    batch = next(islice(train_batches(data, tasks, _BATCH, np.random.default_rng(0)), 1))
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


def planted(tasks: int) -> BranchTree:
    """The tree of groups of eight that fit together, where nothing else fits."""
    names = [f"t{place}" for place in range(tasks)]
    pairs = [(a, b) for a in range(tasks) for b in range(a + 1, min(tasks, a - a % 8 + 8))]
    cells = {(names[a], names[b]): {6: Cell(0.01)} for a, b in pairs}
    return synthesize(ReductionMatrix(tuple(names), cells), 0.02, get_template("cnn8"))


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
