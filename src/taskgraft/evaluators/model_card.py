"""The model card of a bundle: what the model answers, what it learned from, how good it is, how to load it."""

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from taskgraft.evaluators import bundle
from taskgraft.evaluators.bundle import Preprocessing
from taskgraft.evaluators.card_metadata import front_matter
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.kinds.registry import KINDS
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.evaluators.metrics import METRICS
from taskgraft.space.branching import describe_branching

_MEASURED = (Split.VALIDATION, Split.TEST)


def write_card(
    study: Mapping[str, Any],
    tree_document: Mapping[str, Any],
    metrics: Mapping[str, Any],
    preprocessing: Preprocessing,
    tasks: Mapping[str, TaskLabels],
    pictures: Container[str] = (),
) -> str:
    """Return the card in Markdown behind its metadata; ``metrics`` is the content of the bundle's ``metrics.json``.

    ``pictures`` are the names of the pictures that the bundle holds.
    """
    names = list(tasks)
    sections = [
        f"# {study['name']}\n\nOne network that answers {len(tasks)} "
        f"question{'s' if len(tasks) > 1 else ''} about the same sound, made by Taskgraft.",
        f"## What it answers\n\n{_answers(tasks, metrics)}",
        f"## Size\n\n{_size(tree_document)}{_compression(metrics)}{_drawn(pictures)}",
        f"## How good it is\n\n{_verdict(metrics)}\n\n{_measured(names, metrics)}\n\n"
        f"How sure the reduction is (one-sided bounds, 95 %):\n\n{_bounds(names, metrics)}",
        f"## Data\n\nLabelled clips by split. Weights come from train, every choice from validation; test was read "
        f"once, at the end.\n\n{_data(names, metrics)}{_length(metrics)}{_start(study)}",
        f"## Limits\n\n{_limits(preprocessing, tasks)}",
        f"## How to load it\n\n{_loading(preprocessing, tasks, metrics)}",
    ]
    return front_matter(study, metrics, tasks) + "\n" + "\n\n".join(sections) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _answers(tasks: Mapping[str, TaskLabels], metrics: Mapping[str, Any]) -> str:
    learned_from = {name: str(metrics["tasks"][name]["dataset"]) for name in tasks}
    rows = [[name, KINDS[task.kind].describe(task), learned_from[name]] for name, task in tasks.items()]
    return _table(["task", "answer", "learned from"], rows)


def _size(document: Mapping[str, Any]) -> str:
    outline = "\n".join(_outline(document["root"], 0))
    return (
        f"{document['parameters']:,} parameters; one model per task would have "
        f"{document['independent_parameters']:,}.{_gate(document)} "
        f"Blocks of the template `{document['template']}`, and who shares them:\n\n"
        f"```\n{outline}\n```{_branchings(document)}"
    )


def _drawn(pictures: Container[str]) -> str:
    """Return the pictures of the bundle; empty if it holds none."""
    shown = ((bundle.TREE_PICTURE, "The tree"), (bundle.MATRIX_PICTURE, "What sharing costs each pair, on validation"))
    return "".join(f"\n\n![{words}]({name})" for name, words in shown if name in pictures)


def _compression(metrics: Mapping[str, Any]) -> str:
    """Return what was made of the tree that was found; empty if nothing was asked for."""
    found = metrics.get("compression")
    if not found:
        return ""
    names = ", ".join(step if isinstance(step, str) else step["name"] for step in found["steps"])
    said = [f"Made smaller by {names}" if found["pruned"] else f"Asked for: {names}. The tree is as it was found"]
    if found["parameters"] != found["nominal_parameters"]:
        said.append(
            f"{found['nominal_parameters']:,} of {found['parameters']:,} parameters are not 0: "
            f"{found['packed_bytes']:,} bytes as values and bit masks, {found['stored_bytes']:,} as stored here"
        )
    if eight := found.get("int8"):
        said.append(
            f"`{bundle.QUANTISED}` has weights and activations of 8 bits behind the same front end: "
            f"{eight['weight_bytes']:,} instead of {eight['float_weight_bytes']:,} bytes of weights, AR "
            f"{_percent(eight['ar'][Split.TEST])} on test, measured with onnxruntime"
        )
    return "\n\n" + ". ".join(said) + "."


def _gate(document: Mapping[str, Any]) -> str:
    """Return a sentence on what lies before the heads; empty if nothing does."""
    if "gate" not in document:
        return ""
    return " Each head has a gate before it, which says how much of each feature it sees, and is counted."


def _branchings(document: Mapping[str, Any]) -> str:
    """Return what forced each branching as a list."""
    found = [f"- {_cell(describe_branching(branching))}" for branching in document.get("branchings", ())]
    return "\n\nWhy tasks part (AR on validation):\n\n" + "\n".join(found) if found else ""


def _outline(node: Mapping[str, Any], level: int) -> Iterator[str]:
    start, stop = node["blocks"]
    blocks = f"blocks {start + 1}-{stop}" if stop > start else "no block"
    yield f"{'  ' * level}{', '.join(node['tasks'])}: {blocks}{'' if node['children'] else ' and a head'}"
    for child in node["children"]:
        yield from _outline(child, level + 1)


def _verdict(metrics: Mapping[str, Any]) -> str:
    figures = "; ".join(
        f"{_percent(metrics['ar'][split])} on {split} "
        f"({metrics['confidence']:.0%} interval {' to '.join(map(_percent, metrics['ar_interval'][split]))})"
        for split in _MEASURED
    )
    at_chance = [name for name, task in metrics["tasks"].items() if task["result"]["at_chance"]]
    left_out = f" Part of no verdict, since their baselines are at chance: {', '.join(at_chance)}." if at_chance else ""
    return (
        f"**{_words(metrics)}**. The accuracy reduction (AR) is what the worst task loses against a model of its own; "
        f"the study accepts {_percent(metrics['ar_threshold'])}. AR: {figures}. The verdict is about "
        f"{metrics['scope']}.{left_out}{_again(metrics['retrained'])}"
    )


def _again(retrained: Mapping[str, Any] | None) -> str:
    """Return a sentence on what the tree keeps on average; empty if it was not trained again."""
    if retrained is None:
        return ""
    low, high = map(_percent, retrained["ar_interval"])
    return (
        f" Trained again with {retrained['seeds']} further seeds, the tree has an expected AR of "
        f"{_percent(retrained['ar_mean'])} on test (95% interval {low} to {high})."
    )


def _words(metrics: Mapping[str, Any]) -> str:
    words = str(metrics["verdict"]).replace("_", " ")
    if metrics["verdict"] == "verified" or metrics["verified_for"] is None:
        return words.capitalize()
    return f"{words.capitalize()}: verified for an AR of at most {_percent_up(metrics['verified_for'])}"


def _bounds(names: Sequence[str], metrics: Mapping[str, Any]) -> str:
    """Return a table of one-sided bounds of every task's reduction on test."""
    header = ["task", "reduction on test", "at least", "at most", "test clips"]
    return _table(header, [[name, *_sure(metrics["tasks"][name]["result"])] for name in names])


def _sure(result: Mapping[str, Any]) -> list[str]:
    clips = f"{result['test_clips']:,}"
    if result["test_groups"] is not None:
        clips += f" in {result['test_groups']:,} groups"
    if result["at_chance"]:
        return ["at chance", "", "", clips]
    return [_percent(result["reduction"]), _percent(result["lower"]), _percent_up(result["upper"]), clips]


def _measured(names: Sequence[str], metrics: Mapping[str, Any]) -> str:
    header = ["task", "metric", "split", "alone", "here", "reduction"]
    rows = [
        [name, task["metric"], split.value, *_comparison(task, split)]
        for name in names
        for task in [metrics["tasks"][name]]
        for split in _MEASURED
    ]
    return _table(header, rows)


def _comparison(task: Mapping[str, Any], split: Split) -> list[str]:
    metric = task["metric"]
    reduction = task["reduction"][split]
    return [METRICS[metric].shown(task[model][split][metric]) for model in ("baseline", "final")] + [
        "none" if reduction is None else _percent(reduction)
    ]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def _percent_up(fraction: float) -> str:
    """Return a bound in per cent, rounded up, so that the written figure holds, too."""
    return f"{math.ceil(round(1e3 * fraction, 6)) / 10:.1f} %"


def _data(names: Sequence[str], metrics: Mapping[str, Any]) -> str:
    rows = [[name, *(str(sum(metrics["tasks"][name]["clips"][split].values())) for split in Split)] for name in names]
    return _table(["task", *Split], rows)


def _length(metrics: Mapping[str, Any]) -> str:
    """Return what the training length was chosen by; empty if the study says its epochs."""
    length = metrics.get("training_length")
    if not length:
        return ""
    rows = [
        [str(look["epochs"]), _worst(look["gains"], "share"), _worst(look["spreads"], "excess"), look["finding"]]
        for look in length["looks"]
    ]
    table = _table(["epochs", "twice as long gains", "seeds add to clips", "finding"], rows)
    why = "" if length["chosen"] else ", since the budget ended before the length was found"
    return f"\n\nTrained for {length['epochs']} epochs{why}. What each length showed, for its worst task:\n\n{table}"


def _start(study: Mapping[str, Any]) -> str:
    """Return what models started from; empty if each was trained from its own first weights."""
    if study.get("training", {}).get("start") != "trunk":
        return ""
    return (
        "\n\nThe tree and the baselines that it is held against started from one model of all tasks, which took a "
        "quarter of the steps (`training.start: trunk`)."
    )


def _worst(tasks: Mapping[str, Mapping[str, float]], figure: str) -> str:
    """Return the largest figure and its task."""
    task = max(tasks, key=lambda task: tasks[task][figure], default=None)
    if task is None:
        return ""
    error = f" ± {_percent(tasks[task]['error'])}" if "error" in tasks[task] else ""
    return f"{_percent(tasks[task][figure])}{error} ({task})"


def _limits(preprocessing: Preprocessing, tasks: Mapping[str, TaskLabels]) -> str:
    seconds = preprocessing.samples / preprocessing.front_end.sample_rate
    limits = [
        "It was measured on the data above. Other voices, rooms, microphones and noise can make it worse; "
        "measure it on your own recordings before you rely on it.",
        "It answers about every recording, even if no answer is right: silence, music, another language.",
        "Probabilities are not calibrated.",
        f"It looks at {seconds:g} s at a time; longer recordings are read in windows that know nothing of each other.",
    ]
    if any(task.kind.form.answer.needs_time for task in tasks.values()):
        limits.append(f"It says when something sounds in steps of {preprocessing.time_step_seconds:g} s.")
    return "\n".join(f"- {limit}" for limit in limits)


_WITH_ONNXRUNTIME = """\
import json

import numpy as np
import onnxruntime
import soundfile

form = json.load(open("preprocessing.json"))
tasks = json.load(open("labels.json"))
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])

sound, rate = soundfile.read("clip.wav", dtype="float32", always_2d=True)
assert rate == form["front_end"]["sample_rate"], "resample it first"
sound = sound.mean(axis=1)[: form["samples"]]
waveform = np.pad(sound, (0, form["samples"] - len(sound)))[None]  # [clips, samples]

for (name, task), output in zip(tasks.items(), session.run(None, {"waveform": waveform})):
"""

_WITH_TORCH = """\
import torch

model = torch.export.load("model.pt2").module()
outputs = model(torch.zeros(1, {samples}))  # one tensor per task, in the order of labels.json
"""


def _uses(tasks: Mapping[str, TaskLabels]) -> str:
    """Return the lines that print an answer of each kind that the model gives."""
    kinds = dict.fromkeys(task.kind for task in tasks.values())
    return "".join(f'    if task["kind"] == "{kind}":\n        {KINDS[kind].usage}\n' for kind in kinds)


def _loading(preprocessing: Preprocessing, tasks: Mapping[str, TaskLabels], metrics: Mapping[str, Any]) -> str:
    front_end = preprocessing.front_end
    worst = max(metrics["parity"]["max_abs_difference"].values())
    return (
        f"Input `{bundle.INPUT}`: float32 [clips, {preprocessing.samples}], mono at {front_end.sample_rate:,} Hz, "
        f"{bundle.PADDING}. {front_end.features} and normalisation are inside the model. Outputs, in the order of "
        f"`{bundle.LABELS}` ({', '.join(tasks)}): probabilities, and numbers of `value` tasks.\n\n"
        f"With Taskgraft, any recording of any length: `taskgraft predict . clip.wav`\n\n"
        f"With onnxruntime alone:\n\n```python\n{_WITH_ONNXRUNTIME}{_uses(tasks)}```\n\n"
        f"With PyTorch:\n\n```python\n{_WITH_TORCH.format(samples=preprocessing.samples)}```\n\n"
        f"`{bundle.WEIGHTS}` holds the bare weights and the normalisation. On {metrics['parity']['clips']} real clips "
        f"all forms gave the same answers to within {worst:.1g}."
    )
