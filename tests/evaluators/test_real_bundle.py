"""From real recordings to a bundle that says about them what the evaluation said, where there is a copy of them."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.export import export_bundle
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.prediction import load_bundle
from taskgraft.evaluators.study_data import load_study_data
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.document import tree_document
from taskgraft.space.tasks import TaskKind
from taskgraft.space.tree import BranchTree
from tests.evaluators.exported import report
from tests.evaluators.tones import RATE, TEMPLATE, labelled_task

EMODB = Path(__file__).parents[2].parent / "shared" / "data" / "emodb"
CLIPS = {Split.TRAIN: 48, Split.VALIDATION: 12, Split.TEST: 12}


def copy_some(target: Path) -> Path:
    """A manifest of the first clips of each split and gender, with their audio and segments."""
    with (EMODB / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    room = Counter(
        {(split.value, gender): clips // 2 for split, clips in CLIPS.items() for gender in ("male", "female")}
    )
    kept = []
    for row in rows:
        if room[row["split"], row["gender"]] > 0:
            room[row["split"], row["gender"]] -= 1
            kept.append(row)
    (target / "audio").mkdir(parents=True)
    for row in kept:
        shutil.copy(EMODB / row["path"], target / row["path"])
    lines = (EMODB / "segments.csv").read_text().splitlines()
    paths = {row["path"] for row in kept}
    (target / "segments.csv").write_text("\n".join([lines[0], *(one for one in lines if one.split(",")[0] in paths)]))
    (target / "manifest.csv").write_text(
        "\n".join(["path,split,gender", *(f"{row['path']},{row['split']},{row['gender']}" for row in kept)])
    )
    return target / "manifest.csv"


@pytest.mark.slow
@pytest.mark.skipif(not EMODB.exists(), reason="the recordings of emodb are not beside the repository (../shared/data)")
def test_bundle_says_about_real_speech_what_the_evaluation_said(tmp_path: Path) -> None:
    corpus = read_corpus(copy_some(tmp_path / "emodb"))
    (event,) = corpus.segments
    tasks = [
        labelled_task("gender", corpus, "emodb", "gender"),
        labelled_task("vad", corpus, "emodb", event, TaskKind.FRAMES),
    ]
    data = load_study_data({"emodb": corpus}, {"emodb": fingerprint(corpus)}, tasks, TEMPLATE, tmp_path / "cache")
    trainer = Trainer(BranchTree.flat(["gender", "vad"], 6, 8), data, Schedule(6, 8, Optimisation(2e-3)), seed=0)
    while not trainer.finished:
        trainer.advance()
    (tmp_path / "bundle").mkdir()
    targets = {"gender": "gender", "vad": event}
    export_bundle(
        tmp_path / "bundle",
        model=trainer.model,
        data=data,
        tree_document=tree_document(trainer.model.tree, TEMPLATE, 0.02, [task.task for task in tasks]),
        metrics=report(trainer.model, data),
        study={"name": "real", "tasks": [{"name": name, "target": target} for name, target in targets.items()]},
        examples=[read_audio(corpus.audio(int(clip)), RATE) for clip in data.tasks["gender"].clips[Split.TEST][:4]],
    )
    said = evaluate(trainer.model, data, Split.TEST)
    bundle = load_bundle(tmp_path / "bundle")
    answers = {int(clip): bundle.predict(corpus.audio(int(clip))) for clip in said["gender"].clips}
    labels = data.tasks["gender"].labels
    predicted = said["gender"].classes.predicted
    assert [one["gender"]["label"] for one in answers.values()] == [labels[int(place)] for place in predicted]
    vad = said["vad"]
    for clip, answer in answers.items():
        mine = vad.classes.clips == clip
        share = vad.classes.counts[mine & (vad.classes.predicted == 1)].sum() / vad.classes.counts[mine].sum()
        assert answer["vad"]["share"] == pytest.approx(share, abs=0.05)
    parity = json.loads((tmp_path / "bundle" / "metrics.json").read_text())["parity"]
    assert max(parity["max_abs_difference"].values()) < 1e-5
