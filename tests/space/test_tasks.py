"""Tasks and the names that they may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraft.errors import InvalidInput
from taskgraft.space.tasks import Task, TaskKind, is_valid_name


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True))
def test_names_of_letters_digits_and_marks_are_valid(name: str) -> None:
    assert is_valid_name(name)
    assert Task(name).name == name


@pytest.mark.parametrize("name", ["", " a", "a b", "-a", ".a", "a/b", "a\n", "ä", "x" * 65])
def test_other_names_are_not(name: str) -> None:
    assert not is_valid_name(name)
    with pytest.raises(InvalidInput, match="name"):
        Task(name)


@pytest.mark.parametrize(("kind", "classes"), [("clip", 1), ("clip", 0), ("frames", 1), ("frames", 3)])
def test_classes_fit_the_kind(kind: str, classes: int) -> None:
    with pytest.raises(InvalidInput, match="classes"):
        Task("a", TaskKind(kind), classes)


def test_outputs_are_scores_per_class_or_one_per_time_step() -> None:
    assert Task("a", classes=35).outputs == 35
    assert Task("a", TaskKind.FRAMES).outputs == 1
