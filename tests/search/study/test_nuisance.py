"""The nuisance label of a study: no task asks about it, alone or among others."""

from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.search.study.nuisance import nuisance_of
from taskgraft.search.study.spec import StudySpec


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
