"""``/datasets``: the list, one dataset with its labels and faults, and what a token may do there."""

from collections.abc import Iterator

import pytest

from taskgraft.api.dataset_schemas import DatasetView
from taskgraft.api.pages.dataset_pages import columns_of
from taskgraft.api.pages.rendering import POLICY
from taskgraft.search.study.token import Scope
from tests.api.datasets import Datasets, dataset_service, wait_until
from tests.api.pages.html import Page
from tests.evaluators.datasets.corpora import write_lines, write_tone
from tests.evaluators.datasets.zips import zip_folder, zip_of

LABEL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Datasets]:
    with dataset_service(tmp_path_factory.mktemp("pages")) as service:
        yield service


def page(service: Datasets, path: str, token: str = "") -> Page:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = service.http.get(path, headers=headers)
    assert (answer.status_code, answer.headers["content-security-policy"]) == (200, POLICY)
    return Page(answer.text)


def odd_zip(service: Datasets) -> bytes:
    """Clips of which one in each split has no label, and a label that would be markup."""
    folder = service.root / "odd"
    labels = (LABEL, "b", "")
    rows = [
        f"{split}{place}.wav,{split},{label}"
        for split in ("train", "validation", "test")
        for place, label in enumerate(labels)
    ]
    write_lines(folder / "manifest.csv", "path,split,who", *rows)
    for row in rows:
        write_tone(folder / row.split(",")[0])
    return zip_folder(folder)


def test_labels_missing_ones_and_bytes_are_counted(service: Datasets) -> None:
    content = odd_zip(service)
    assert service.upload("odd", content).status_code == 202
    assert "Its check has not begun yet." in page(service, "/datasets/odd").text
    service.check()
    found = service.get("odd")
    assert found["labelled"] == {"who": {"train": 2, "validation": 2, "test": 2}}
    assert found["splits"] == {"train": 3, "validation": 3, "test": 3}
    stored = sum(path.stat().st_size for path in (service.root / "odd").iterdir())
    assert found["bytes"] == stored
    column = next(columns_of(DatasetView.model_validate(found)))
    assert (column.missing, column.missing_in_all) == ((1, 1, 1), 3)
    assert column.labels == ((LABEL, (1, 1, 1)), ("b", (1, 1, 1)))
    listed, detail = page(service, "/datasets"), page(service, "/datasets/odd")
    for found_page in (listed, detail):
        assert len(found_page.ids) == len(set(found_page.ids))
    assert "who 2 classes, 3 missing" in listed.text
    assert LABEL in detail.text
    assert not [one for one in detail.tags("script") if "src" not in one]


def test_faults_are_shown_with_their_lines(service: Datasets) -> None:
    rows = "".join(f"a{place}.wav,monday\n" for place in range(150))
    service.upload("broken", zip_of({"manifest.csv": f"path,split\n{rows}"}))
    service.check()
    found = page(service, "/datasets/broken")
    assert "manifest.csv:2" in found.text
    assert "a split is one of train, validation, test; got 'monday'" in found.text
    assert f"{service.get('broken')['fault_count']} faults" in found.text
    assert "And 200 more." in found.text
    assert [one for one in found.tags("button") if one.get("data-delete") == "broken"]


def test_registered_and_built_in_ones(service: Datasets) -> None:
    service.ready("zoo")
    assert service.get("zoo")["bytes"] is None
    assert "not copied: its files stay where they are" in page(service, "/datasets/zoo").text
    built_in = page(service, "/datasets/demo-speech")
    assert "made when a study first needs it" in built_in.text
    assert not [one for one in built_in.tags("button") if "data-delete" in one]


def test_every_fault_of_a_form_has_a_place(service: Datasets) -> None:
    found = page(service, "/datasets")
    for path in ("name", "zip", "register-name", "register-manifest"):
        assert found.place_of(path) == f"fault-{path}"
    assert len([one for one in found.tags("div") if one.get("class") == "faults"]) == 2
    labels = {one.get("for") for one in found.tags("label")}
    assert all(control["id"] in labels for control in found.tags("input"))


def test_a_list_of_many_has_pages(service: Datasets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskgraft.api.pages.dataset_pages._PAGE", 1)
    first = page(service, "/datasets")
    more = [one["href"] for one in first.tags("a") if one["href"].startswith("/datasets?cursor=")]
    assert len(more) == 1
    assert page(service, more[0]).text != first.text


def test_an_unknown_one_is_an_error_in_the_same_look(service: Datasets) -> None:
    answer = service.http.get("/datasets/%3Cscript%3E", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["content-security-policy"]) == (404, POLICY)
    assert "<script>" not in answer.text.replace("<script src", "")


def test_a_token_that_may_only_read_gets_a_sentence_instead_of_forms(service: Datasets) -> None:
    """The last test: from the first token on, all others would need one."""
    _, shown = service.store.tokens.create("reader", Scope.READ)
    wait_until(lambda: service.http.get("/v1/datasets").status_code == 401)
    for path in ("/new", "/datasets"):
        found = page(service, path, shown)
        assert "takes a token of scope write. You are signed in with reader, of scope read" in found.text
        assert not [form for form in found.tags("form") if form.get("id")]
    assert not [one for one in page(service, "/datasets/zoo", shown).tags("button") if "data-delete" in one]
    assert service.http.get("/docs").status_code == 200
