"""The error tree over the wire: complete, and the same on the other side."""

import inspect

import pytest

from taskgraft import errors
from taskgraft.api.problems import KINDS, error_of, plain_problem, problem_of
from taskgraft.errors import Conflict, Fault, InvalidInput, MalformedInput, NotFound, TaskgraftError, Unavailable

TREE = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, TaskgraftError)]


def test_every_class_of_the_error_tree_is_mapped() -> None:
    assert set(KINDS) == set(TREE)


def test_statuses_are_those_that_the_error_tree_promises() -> None:
    promised = {cls.__name__: status for cls, (status, _, _) in KINDS.items()}
    for line in (errors.__doc__ or "").splitlines():
        if ": HTTP " in line:
            name = line.replace("│", "").split("── ")[1].split()[0]
            assert int(line.partition(": HTTP ")[2][:3]) == promised[name]


@pytest.mark.parametrize("cls", TREE)
def test_an_error_comes_back_as_what_it_was(cls: type[TaskgraftError]) -> None:
    faults = [Fault("tasks.0.name", "is required"), Fault("seed", "at least 0; got -1")]
    error = cls(faults) if issubclass(cls, InvalidInput) else cls("it runs")
    problem = problem_of(error)
    again = error_of(problem.status, problem.model_dump_json())
    assert type(again) is cls
    assert str(again) == str(error)
    if isinstance(again, InvalidInput):
        assert again.faults == tuple(faults)


def test_a_class_below_the_tree_is_its_parent_on_the_wire() -> None:
    class Narrower(NotFound):
        pass

    assert problem_of(Narrower("x")).status == 404


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, MalformedInput),
        (404, NotFound),
        (405, InvalidInput),
        (409, Conflict),
        (413, InvalidInput),
        (502, Unavailable),
    ],
)
def test_what_is_no_problem_of_ours_is_told_by_its_status(status: int, cls: type[TaskgraftError]) -> None:
    for answer in ("<html>Bad gateway</html>", plain_problem(status, "as it is").model_dump_json()):
        assert type(error_of(status, answer)) is cls


def test_plain_problems_carry_the_phrase_of_their_status() -> None:
    problem = plain_problem(413, "too much")
    assert (problem.type, problem.title, problem.status, problem.detail) == (
        "about:blank",
        "Content Too Large" if problem.title.startswith("Content") else "Request Entity Too Large",
        413,
        "too much",
    )
    assert plain_problem(599, "x").title == "Unknown status"
