"""How a study names a weighting, and what is refused before anything is trained."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.weighting import extra
from taskgraft.evaluators.weighting.dwa import DynamicWeightAverage
from taskgraft.evaluators.weighting.extra import check_installed
from taskgraft.evaluators.weighting.plain import Sum
from taskgraft.evaluators.weighting.registry import WEIGHTINGS
from taskgraft.search.study.outline import outline_study
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from tests.search.worlds import make_spec

WEIGHTS = {"a": 1, "b": 0.5}


def spec(weighting: object) -> StudySpec:
    return make_spec(2, training={"epochs": 3, "loss_weighting": weighting})


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_a_study_names_a_weighting_and_its_options(name: str) -> None:
    given: Any = {"name": name, "weights": WEIGHTS} if name == "fixed" else name
    found = spec(given)
    assert type(found.training.loss_weighting) is WEIGHTINGS[name]
    plain = json.loads(json.dumps(found.to_plain()))
    assert StudySpec.parse(plain) == found
    assert hash(StudySpec.parse(plain)) == hash(found), "studies are keys of caches"
    assert found.training.schedule_for().weighting == found.training.loss_weighting


def test_the_default_is_the_sum() -> None:
    assert make_spec(2).training.loss_weighting == Sum()
    assert make_spec(2).to_plain()["training"]["loss_weighting"] == "sum"


def test_options_are_read() -> None:
    assert spec({"name": "dwa", "temperature": 3}).training.loss_weighting == DynamicWeightAverage(temperature=3.0)


@pytest.mark.parametrize(
    ("given", "where", "said"),
    [
        ("equal", "", ["there is sum, mean, fixed, uncertainty", "got 'equal'"]),
        (3, "", ["a name, or an object with name and options", "got 3"]),
        (None, "", ["a name, or an object with name and options"]),
        ({"weights": WEIGHTS}, "", ["a name, or an object with name and options"]),
        ("fixed", ".weights", ["is required"]),
        ({"name": "fixed", "weights": {"a": 1}}, ".weights.b", ["each task of the study has a weight"]),
        ({"name": "fixed", "weights": WEIGHTS | {"c": 2}}, ".weights.c", ["the study has no such task", "got 2"]),
        ({"name": "fixed", "weights": WEIGHTS | {"a": 0}}, ".weights.a", ["greater than 0", "got 0"]),
        ({"name": "fixed", "weights": WEIGHTS | {"a": True}}, ".weights.a", ["number", "got True"]),
        ({"name": "dwa", "alpha": 1}, ".alpha", ["is an option of gradnorm, and dwa has the options temperature"]),
        ({"name": "pcgrad", "c": 1}, ".c", ["is an option of cagrad, and pcgrad has no options", "got 1"]),
        ({"name": "dwa", "speed": 1}, ".speed", ["there is no such option; dwa has the options temperature"]),
        ({"name": "dwa", "temperature": 0}, ".temperature", ["greater than 0", "got 0"]),
        ({"name": "gradnorm", "alpha": "1"}, ".alpha", ["number", "got '1'"]),
        ({"name": "gradnorm", "alpha": float("nan")}, ".alpha", ["finite", "got nan"]),
        ({"name": "uncertainty", "form": "both"}, ".form", ["'auto', 'class' or 'half'", "got 'both'"]),
        ({"name": "loss-proportional", "detached": "no"}, ".detached", ["boolean", "got 'no'"]),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_place(given: object, where: str, said: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        spec(given)
    (fault,) = refused.value.faults
    assert fault.where == f"training.loss_weighting{where}"
    for part in said:
        assert part in fault.message


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as refused:
        make_spec(
            2, training={"epochs": 0, "loss_weighting": {"name": "gradnorm", "alpha": -1, "c": 1, "form": "half"}}
        )
    assert {fault.where for fault in refused.value.faults} == {
        "training.epochs",
        *(f"training.loss_weighting.{option}" for option in ("alpha", "c", "form")),
    }


@pytest.mark.parametrize("name", WEIGHTINGS)
def test_without_the_extra_aggregators_are_refused_and_the_extra_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extra, "is_installed", lambda package: False)
    asked = spec({"name": name, "weights": WEIGHTS} if name == "fixed" else name)  # a stored study stays readable
    if not WEIGHTINGS[name].packages:
        check_installed(asked.training.loss_weighting)
        return
    with pytest.raises(InvalidInput, match=r'^training\.loss_weighting: .* pip install "taskgraft\[aggregators\]"$'):
        check_installed(asked.training.loss_weighting)
    for check in (lambda: prepare(asked, data_dir=tmp_path), lambda: outline_study(asked, lambda _: None)):
        with pytest.raises(InvalidInput) as refused:
            check()
        assert "training.loss_weighting" in {fault.where for fault in refused.value.faults}


def test_one_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extra, "is_installed", lambda package: package != "ecos")
    with pytest.raises(InvalidInput, match=r"nash-mtl needs ecos, which is not installed"):
        check_installed(spec("nash-mtl").training.loss_weighting)
    check_installed(spec("pcgrad").training.loss_weighting)


def test_the_extra_is_installed_with_the_tests() -> None:
    for kind in WEIGHTINGS.values():
        assert all(map(extra.is_installed, kind.packages))


def test_a_study_of_every_weighting_is_read_without_torch() -> None:
    script = (
        "import sys\n"
        "from taskgraft.evaluators.weighting.registry import WEIGHTINGS\n"
        "from taskgraft.search.study.spec import StudySpec\n"
        "tasks = [{'name': 'a', 'dataset': 'speech', 'target': 'a'}]\n"
        "for name in WEIGHTINGS:\n"
        "    said = {'name': name, 'weights': {'a': 1}} if name == 'fixed' else name\n"
        "    StudySpec.parse({'ar_threshold': 0.02, 'tasks': tasks, 'training': {'loss_weighting': said}})\n"
        "assert not {'torch', 'torchjd', 'cvxpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
