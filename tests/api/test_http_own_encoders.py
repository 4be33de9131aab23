"""A service imports nothing that a request names, and takes up no local study that would have to."""

import sys
from typing import Any

import pytest

from taskgraft.evaluators.imported.measuring import measure_encoder
from taskgraft.search.study.spec import StudySpec
from tests.api.conftest import Api, body

PLACE = "tests.api.own_encoder:make"
MODULE = "tests.api.own_encoder"
RULE = "a service imports nothing that a study names"


@pytest.fixture
def local() -> StudySpec:
    """A study as a local run keeps it."""
    measured = measure_encoder("tests.evaluators.imported.encoders:make")
    return StudySpec.parse(body(template=measured.place, depths=[2, 4], imported=measured))


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_posted_study_of_an_encoder_to_import_is_refused_and_nothing_is_imported(
    api: Api, dry_run: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, MODULE, raising=False)  # another test of this process may have imported it
    answer = api.http.post("/v1/studies", params={"dry_run": dry_run}, json=body(template=PLACE, depths=[1]))
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["field"] == "template"
    assert RULE in fault["message"]
    assert PLACE in fault["message"]
    assert MODULE not in sys.modules


def test_a_posted_study_cannot_say_what_was_imported(api: Api, local: StudySpec) -> None:
    for posted in (local.to_plain(), {**body(), "imported": local.to_plain()["imported"]}, {**body(), "imported": {}}):
        answer = api.http.post("/v1/studies", json=posted)
        assert answer.status_code == 422
        faults: list[dict[str, Any]] = answer.json()["errors"]
        assert "imported" in {fault["field"] for fault in faults}
        assert RULE in faults[0]["message"]


def test_a_local_study_that_a_service_finds_is_shown_and_not_taken_up(api: Api, local: StudySpec) -> None:
    study, _ = api.store.create_study(local)
    shown = api.http.get(f"/v1/studies/{study.id}")
    assert shown.status_code == 200
    assert shown.json()["spec"]["template"] == local.template
    api.store.pause_study(study.id)
    resumed = api.http.post(f"/v1/studies/{study.id}/resume")
    assert resumed.status_code == 422
    assert [fault["field"] for fault in resumed.json()["errors"]] == ["template"]
    tree = api.http.post(f"/v1/studies/{study.id}/trees", json={"ar_threshold": 0.2})
    assert tree.status_code == 422
    assert RULE in tree.text
    assert api.http.delete(f"/v1/studies/{study.id}").status_code == 204


def test_studies_of_other_templates_do_not_mention_it(api: Api) -> None:
    assert "imported" not in api.http.get(f"/v1/studies/{api.post()}").json()["spec"]
    document = api.http.get("/openapi.json").json()["components"]["schemas"]
    assert not [name for name, schema in document.items() if "imported" in schema.get("properties", {})]
