"""A bundle of a model that has learned tones, and what it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.export import export_bundle
from taskgraft.evaluators.metrics import measure_all
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space.document import tree_document
from taskgraft.space.pictures.tree import draw_tree
from taskgraft.space.template import Template
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.evaluators.tones import TEMPLATE, load_tones, write_tones

TARGETS = {"pitch": "pitch", "relu": "shape", "waveform": "tone"}
"""Names that the exporters use for their own values as well must not confuse them."""
SCHEDULE = Schedule(20, 8, Optimisation(3e-3))
PICTURE = draw_tree(tree_document(BranchTree.flat(["a", "b"], 4, 8), get_template("cnn8"), 0.02))
STUDY: dict[str, Any] = {
    "name": "tones",
    "ar_threshold": 0.02,
    "tasks": [{"name": name, "dataset": "tones", "target": target} for name, target in TARGETS.items()],
}


@dataclass(frozen=True)
class Exported:
    """The bundle's folder, and model, data and corpus behind it."""

    folder: Path
    model: TreeModel
    data: StudyData
    corpus: Path

    def clip(self, place: int) -> Path:
        """The file of a clip."""
        return self.corpus / f"{place}.wav"


def export_tones(
    root: Path, template: Template = TEMPLATE, targets: Mapping[str, str] = TARGETS, schedule: Schedule = SCHEDULE
) -> Exported:
    """Train on tones of one to three windows, and export."""
    manifest = write_tones(root / "corpus")
    tasks = [(name, "tones", target) for name, target in targets.items()]
    data = load_tones({"tones": manifest}, tasks, root / "cache", clip_seconds=0.4, template=template)
    model = _train(BranchTree.flat(list(targets), template.depth - 3, template.depth), data, schedule)
    folder = root / "bundle"
    folder.mkdir()
    corpus = read_corpus(manifest)
    export_bundle(
        folder,
        model=model,
        data=data,
        tree_document=tree_document(model.tree, template, 0.02, [data.tasks[name].task for name in targets]),
        metrics=report(model, data),
        study={**STUDY, "tasks": [task for task in STUDY["tasks"] if task["name"] in targets]},
        examples=[read_audio(corpus.audio(clip), template.front_end.sample_rate) for clip in range(5, 48, 6)],
        pictures={"tree.svg": PICTURE},
    )
    return Exported(folder, model, data, manifest.parent)


def _train(tree: BranchTree, data: StudyData, schedule: Schedule) -> TreeModel:
    trainer = Trainer(tree, data, schedule, seed=0)
    while not trainer.finished:
        trainer.advance()
    return trainer.model.eval()


def report(model: TreeModel, data: StudyData) -> dict[str, Any]:
    """A study's final report in which the model is its own baseline."""
    measured = {
        split: {name: measure_all(one) for name, one in evaluate(model, data, split).items()}
        for split in (Split.VALIDATION, Split.TEST)
    }
    return {
        "ar_threshold": 0.02,
        "decision": "point",
        "verdict": "not_refuted",
        "verified": False,
        "verified_for": 0.03101,
        "scope": "the weights in the bundle against themselves",
        "ar": {split.value: 0.0125 for split in measured},
        "ar_interval": {split.value: [0.0, 0.0345] for split in measured},
        "confidence": 0.95,
        "retrained": {"seeds": 3, "ar_mean": 0.0412, "ar_interval": [0.01, 0.09]},
        "tasks": {
            name: {
                "dataset": "tones",
                "kind": task.task.kind.value,
                "metric": task.metric,
                "labels": list(task.labels),
                "clips": {split.value: {"some": len(task.clips[split])} for split in Split},
                "baseline": {split.value: by_task[name] for split, by_task in measured.items()},
                "final": {split.value: by_task[name] for split, by_task in measured.items()},
                "reduction": {split.value: -0.02 for split in measured},
                "result": _result(name, len(task.clips[Split.TEST]), at_chance=name == "waveform"),
            }
            for name, task in data.tasks.items()
        },
    }


def _result(name: str, clips: int, at_chance: bool) -> dict[str, Any]:
    bounds = (None, None, None) if at_chance else (-0.02, -0.05, 0.03101)
    return {
        "name": name,
        "test_clips": clips,
        "test_groups": 3,
        "at_chance": at_chance,
        **dict(zip(("reduction", "lower", "upper"), bounds, strict=True)),
    }
