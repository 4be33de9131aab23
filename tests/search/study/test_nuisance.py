"""The nuisance label of a study: no task asks about it, alone or among others."""

from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.datasets.check import check_manifest
from taskgraft.search.comparison.beginning import check_request
from taskgraft.search.comparison.plan import plan_comparison
from taskgraft.search.study.comparison import comparison_spec
from taskgraft.search.study.nuisance import nuisance_of
from taskgraft.search.study.outline import find_local_report, outline_study
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from tests.search.corpora import beeps_spec
from tests.search.study.checked import said_before_training


def study(nuisance: str, **task: Any) -> StudySpec:
    algorithm = {"name": "adversarial", "nuisance": nuisance}
    tasks = [{"name": "first", "dataset": "speech", **task}]
    return StudySpec.parse({"ar_threshold": 0.1, "tasks": tasks, "training": {"epochs": 3, "algorithm": algorithm}})


@pytest.mark.parametrize("task", [{"target": "word"}, {"target": ["loud", "word"], "kind": "tags"}])
def test_what_a_task_asks_is_no_nuisance(task: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="is no task of the study; got word, which first is about"):
        nuisance_of(study("word", **task))


def test_another_column_is_one() -> None:
    found = nuisance_of(study("speaker", target=["loud", "word"], kind="tags"))
    assert found is not None
    assert (found.dataset, found.target) == ("speech", "speaker")


def compared(nuisance: str, dataset: str | None = None) -> StudySpec:
    return comparison_spec(beeps_spec(), nuisance=(nuisance, dataset))


def of_pitch_and_loud(nuisance: str, dataset: str | None = None) -> StudySpec:
    """A comparison of a study that has `shape` left for a nuisance."""
    spec = beeps_spec()
    return comparison_spec(spec.model_copy(update={"tasks": spec.tasks[:2]}), nuisance=(nuisance, dataset))


def test_the_label_of_a_comparison_is_read_and_refused_at_the_fields_of_its_request(beeps: Path) -> None:
    assert said_before_training(of_pitch_and_loud("shape"), beeps) == {}
    assert "no label column 'colour'" in said_before_training(of_pitch_and_loud("colour"), beeps)["nuisance"]
    assert "which loud is about" in said_before_training(of_pitch_and_loud("loud"), beeps)["nuisance"]
    assert "got birds" in said_before_training(of_pitch_and_loud("shape", "birds"), beeps)["nuisance_dataset"]
    prepared = prepare(of_pitch_and_loud("shape"), data_dir=beeps, base=beeps)
    assert prepared.nuisance is not None
    assert prepared.nuisance.targets.label_set == ("sine", "square")
    assert [task.name for task in prepared.tasks] == ["pitch", "loud"]


def test_a_plan_of_a_comparison_refuses_a_column_that_is_not_there(beeps: Path) -> None:
    spec = beeps_spec()
    outline = outline_study(spec, lambda name: find_local_report(name, beeps, check_manifest))
    with pytest.raises(InvalidInput, match=r"nuisance: .*no label column 'colour'"):
        plan_comparison(outline, check_request(spec, ["flat"], nuisance="colour"))


def test_studies_do_not_say_it_and_comparisons_keep_it_themselves() -> None:
    spec = compared("speaker")
    assert spec.nuisance == ("speaker", None)
    assert "nuisance" not in spec.to_plain()
    assert spec != comparison_spec(beeps_spec())
    assert spec.reading(None) == comparison_spec(beeps_spec())
    with pytest.raises(InvalidInput, match=r"nuisance: is said in training.algorithm, or when a comparison"):
        StudySpec.parse({**beeps_spec().to_plain(), "nuisance": ["speaker", None]})
