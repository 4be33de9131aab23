"""Metadata of a model card: whatever names a study has, programs read what was meant."""

from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.evaluators.card_metadata import front_matter
from taskgraft.evaluators.kinds.task_labels import TaskLabels
from taskgraft.space.tasks import TaskKind
from tests.svgs import ODD_NAMES

NAMES = st.one_of(
    st.sampled_from(("no", "1:30", "010", "---", "a: b", "# c", "null", "2026-11-30", "'", "- x", *ODD_NAMES)),
    st.text(),
)


def measured(dataset: str, accuracy: float) -> dict[str, Any]:
    return {"dataset": dataset, "final": {"validation": {"accuracy": 0.5}, "test": {"accuracy": accuracy, "f1": 0.5}}}


@given(NAMES, st.lists(NAMES, min_size=1, max_size=5, unique=True), NAMES)
def test_names_are_read_back_as_they_are(study: str, tasks: list[str], dataset: str) -> None:
    metrics = {"tasks": {task: measured(dataset, 0.75) for task in tasks}}
    labels = {task: TaskLabels(kind=TaskKind.CLIP, labels=("a", "b"), event=None) for task in tasks}
    text = front_matter({"name": study}, metrics, labels)
    assert text.startswith("---\n")
    assert text.endswith("\n---\n")
    found = yaml.safe_load(text.removeprefix("---\n").removesuffix("---\n"))
    (model,) = found["model-index"]
    assert model["name"] == study
    assert [result["task"]["name"] for result in model["results"]] == tasks
    assert {result["dataset"]["name"] for result in model["results"]} == {dataset}
    assert found["metrics"] == ["accuracy", "f1"]


def test_what_is_no_number_is_left_out() -> None:
    labels = {"a": TaskLabels(kind=TaskKind.CLIP, labels=("a", "b"), event=None)}
    text = front_matter({"name": "s"}, {"tasks": {"a": measured("d", float("nan"))}}, labels)
    (model,) = yaml.safe_load(text.strip("-\n"))["model-index"]
    assert model["results"][0]["metrics"] == [{"type": "f1", "value": 0.5, "name": "f1"}]
