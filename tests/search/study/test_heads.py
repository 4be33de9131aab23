"""Tasks of a study that name a head."""

from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.search.study.preparation import tasks_from_facts, to_facts
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.heads import LstmHead
from taskgraft.space.tasks import Task, TaskKind


def study(kind: str = "clip", head: str | None = None, **changes: Any) -> StudySpec:
    task = {"name": "a", "dataset": "zoo", "target": "animal", "kind": kind, "head": head}
    return StudySpec.parse({"ar_threshold": 0.1, "tasks": [task], **changes})


def test_a_named_head_is_kept_and_a_study_without_one_does_not_mention_it() -> None:
    spec = study(head="lstm")
    assert spec.to_plain()["tasks"][0]["head"] == "lstm"
    assert StudySpec.parse(spec.to_plain()) == spec
    assert spec.encoder.head(spec.tasks[0].to_task(3)) == LstmHead(28, pooled=True)
    assert "head" not in study().to_plain()["tasks"][0]


def test_a_task_that_names_a_head_may_be_of_a_kind_that_the_template_has_none_for() -> None:
    assert study("frames", "gru", template="cp-mobile").template == "cp-mobile"


@pytest.mark.parametrize(
    ("values", "where", "words"),
    [
        ({"head": "nose"}, "tasks.0.head", "no head 'nose'; for clip tasks there is attention, pool,"),
        ({"head": 3}, "tasks.0.head", "valid string"),
        ({"kind": "frames", "head": "attention"}, "tasks.0.head", "attention answers for whole clips"),
        ({"head": "gru"}, "tasks.0.head", "gru answers for every time step; for clip tasks there is attention"),
        ({"head": "lstm", "template": "vgg11"}, "template", "lstm of a goes over time steps, and vgg11 has none"),
        ({"kind": "frames", "head": "steps", "template": "alexnet"}, "template", "alexnet has none"),
        ({"kind": "frames", "front_end": "emotion-image"}, "front_end", "a picture has no time steps"),
        ({"head": "bigru", "front_end": "emotion-image"}, "front_end", "a picture has no time steps"),
    ],
)
def test_a_head_that_does_not_fit_is_refused(values: dict[str, Any], where: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        study(**values)
    assert [fault.where for fault in refused.value.faults] == [where]


def test_facts_of_a_study_keep_its_heads() -> None:
    tasks = (Task("a", classes=5, head="mlp"), Task("b", TaskKind.FRAMES))
    assert tasks_from_facts({"tasks": to_facts(tasks)}) == tasks
    assert to_facts(tasks)[1] == {"name": "b", "kind": "frames", "classes": 2}


@pytest.mark.parametrize("kind", TaskKind)
def test_tasks_of_every_kind_may_be_behind_a_named_front_end(kind: TaskKind) -> None:
    assert study(kind, template="crnn", front_end="scene").front_end == "scene"
