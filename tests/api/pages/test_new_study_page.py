"""``/new``: what the form offers, and that every fault of a study has a place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from taskgraft.api.pages import choices
from taskgraft.api.pages.rendering import POLICY
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.space.tasks import TaskKind
from tests.api.datasets import Datasets, dataset_service, errors, study_of
from tests.api.pages.html import Page
from tests.evaluators.datasets.corpora import write_lines, write_tone

LABEL = "<script>alert(1)</script>"
COLUMN = "who & <b>what</b>"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datasets]:
    with dataset_service(tmp_path_factory.mktemp("new study")) as service:
        service.ready("zoo")
        odd(service.root / "odd")
        assert service.register("odd", "odd/manifest.csv").status_code == 202
        service.check()
        service.register("late", "zoo")
        yield service


def odd(folder: Path) -> None:
    """A corpus with names that would be markup."""
    rows = [
        f"{split}-{place}.wav,{split},{label}"
        for split in ("train", "validation", "test")
        for place, label in enumerate((LABEL, "b"))
    ]
    write_lines(folder / "manifest.csv", f"path,split,{COLUMN}", *rows)
    for row in rows:
        write_tone(folder / row.split(",")[0])


def page(service: Datasets, query: str = "") -> Page:
    answer = service.http.get(f"/new{query}")
    assert (answer.status_code, answer.headers["content-security-policy"]) == (200, POLICY)
    return Page(answer.text)


def test_it_offers_the_datasets_with_their_columns_and_events(service: Datasets) -> None:
    found = page(service)
    assert {one["data-targets"] for one in found.tags("template") if "data-targets" in one} == {
        "demo-speech",
        "late",
        "odd",
        "zoo",
    }
    assert "animal (2 classes: cat, dog)" in found.text
    assert "call (in 6 clips)" in found.text
    assert "late (checking)" in found.text


def test_names_are_never_markup(service: Datasets) -> None:
    found = page(service, "?dataset=odd")
    assert COLUMN in {option.get("value") for option in found.tags("option")}
    assert LABEL in found.text
    assert not [one for one in found.tags("script") if "src" not in one]
    assert not [
        name for one in found.tags("input", "select", "button", "form") for name in one if name.startswith("on")
    ]
    assert found.tags("style", "b") == []


def test_every_control_has_a_label_and_a_place_for_its_faults(service: Datasets) -> None:
    found = page(service)
    ids, labels = found.ids, {one.get("for") for one in found.tags("label")}
    for control in found.tags("input", "select", "textarea"):
        assert control["id"] in labels
        assert set(control["aria-describedby"].split()) <= set(ids)
        if "data-path" in control:
            assert f"fault-{control['data-path']}" in ids
    outside = [one for one in ids if not one.startswith(("tasks.0.", "fault-tasks.0", "hint-tasks.0"))]
    assert len(outside) == len(set(outside))  # the template of a task has the ids of the first one


@pytest.mark.parametrize(
    ("body", "places"),
    [
        ({}, {"ar_threshold": "fault-ar_threshold", "tasks": "fault-tasks"}),
        (
            {"ar_threshold": 1, "name": "<script>", "tasks": [{"name": "", "kind": "x"}]},
            {
                "ar_threshold": "fault-ar_threshold",
                "name": "fault-name",
                "tasks.0.name": "fault-tasks.0.name",
                "tasks.0.dataset": "fault-tasks.0.dataset",
                "tasks.0.target": "fault-tasks.0.target",
                "tasks.0.kind": "fault-tasks.0.kind",
            },
        ),
        (study_of("zoo", target="colour"), {"tasks.0.target": "fault-tasks.0.target"}),
        (study_of("nobody"), {"tasks.0.dataset": "fault-tasks.0.dataset"}),
        (study_of("zoo", metric="event_f1"), {"tasks.0.metric": "fault-tasks.0.metric"}),
        (study_of("zoo", colour="red"), {"tasks.0.colour": "fault-tasks.0"}),
        (study_of("zoo") | {"strategy": "trees"}, {"strategy": "fault-strategy"}),
        (
            study_of("zoo") | {"strategy": "none", "template": "none"},
            {"strategy": "fault-strategy", "template": "fault-template"},
        ),
        (study_of("zoo") | {"depths": [9]}, {"depths": "fault-depths"}),
        (study_of("zoo") | {"depths": ["a"]}, {"depths.0": "fault-depths"}),
        (
            study_of("zoo") | {"budget": {"trials": 0, "seconds": -1, "x": 1}},
            {
                "budget.trials": "fault-budget.trials",
                "budget.seconds": "fault-budget.seconds",
                "budget.x": "fault-budget",
            },
        ),
        (
            study_of("zoo") | {"repeats": 0, "confirm": 99, "seed": -1, "decision": "x"},
            {name: f"fault-{name}" for name in ("repeats", "confirm", "seed", "decision")},
        ),
        (study_of("zoo") | {"training": {"epochs": 0}}, {"training.epochs": "fault-training.epochs"}),
        (study_of("zoo") | {"training": {"masking": 9}, "nothing": 1}, {"training.masking": "", "nothing": ""}),
    ],
)
def test_every_fault_has_a_place(service: Datasets, body: dict[str, Any], places: dict[str, str]) -> None:
    """An empty one is the list at the top of the form."""
    found = page(service)
    faults = errors(service.http.post("/v1/studies?dry_run=true", json=body))
    assert {path: found.place_of(path) for path in faults} == places
    assert [one["class"] for one in found.tags("div") if one.get("role") == "alert"] == ["faults"]


def test_it_starts_from_another_study(service: Datasets) -> None:
    asked = study_of("zoo") | {"ar_threshold": 0.035, "template": "cnn8", "budget": {"trials": 7}, "seed": 3}
    study_id = service.http.post("/v1/studies", json=asked).json()["id"]
    link = f"/new?from={study_id}"
    assert link in {one["href"] for one in Page(service.http.get(f"/studies/{study_id}").text).tags("a")}
    found = page(service, f"?from={study_id}")
    values = {one["data-path"]: one["value"] for one in found.tags("input") if one.get("data-path")}
    assert (values["ar_threshold"], values["budget.trials"], values["seed"]) == ("3.5", "7", "3")
    chosen = {option["value"] for option in found.tags("option") if "selected" in option and "value" in option}
    assert {"zoo", "animal", "clip", "adaptive"} <= chosen
    service.http.post(f"/v1/studies/{study_id}/cancel")


@pytest.mark.parametrize("recipe", ["default", "seed-scenes", "seed-emotion"])
def test_what_it_starts_from_is_the_same_study(recipe: str) -> None:
    given = study_of("zoo") | {"training": {"recipe": recipe, "epochs": 60}, "repeats": "auto", "depths": [4, 8]}
    spec = StudySpec.parse(given)
    found = choices.short(spec)
    assert StudySpec.parse(found) == spec
    assert "synthesis" not in found
    assert recipe != "default" or found["training"] == {"epochs": 60}


def test_an_unknown_study_is_an_error_in_the_same_look(service: Datasets) -> None:
    answer = service.http.get("/new?from=none", headers={"Accept": "text/html"})
    assert (answer.status_code, "<html" in answer.text, answer.headers["content-security-policy"]) == (
        404,
        True,
        POLICY,
    )


def test_every_kind_and_strategy_is_in_words() -> None:
    assert list(choices.KINDS) == list(TaskKind)
    assert list(choices.STRATEGIES) == list(Strategy)
