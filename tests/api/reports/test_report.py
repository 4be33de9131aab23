"""Reports: one page that needs nothing else, from a service and from a folder; whole or not there."""

import re
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from taskgraft.api.client import Client
from taskgraft.api.reports import PAGE, Contents, converters, default_folder, gather, write_report
from taskgraft.api.reports.from_folder import DATABASE, open_run
from taskgraft.api.reports.from_service import ServiceSource
from taskgraft.api.reports.words import headline, verdict
from taskgraft.errors import Conflict, Unavailable
from taskgraft.search.study.states import Stage, State
from taskgraft.space.document import tree_document
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.api.cli.commands import taskgraft
from tests.api.conftest import DEPTH, Api, body
from tests.search.results import RESULT
from tests.search.store.samples import lease_of, make_spec, make_study
from tests.stores import new_store
from tests.svgs import read_picture

TASKS = tuple(str(task["name"]) for task in body()["tasks"])


def finished(api: Api, **changes: object) -> str:
    """A study that has succeeded, with baselines and one pair."""
    study_id = api.post(**changes)
    api.run(study_id, Stage.EXPORT)
    for task in TASKS:
        api.record(study_id, BranchTree.flat((task,), DEPTH, DEPTH), {task: 90})
    api.record(study_id, BranchTree.flat(TASKS[:2], 8, DEPTH), dict.fromkeys(TASKS[:2], 80))
    document = tree_document(BranchTree.flat(TASKS, DEPTH, DEPTH), get_template("cnn8"), 0.1)
    api.store.finish(lease_of(api.store, study_id), State.SUCCEEDED, result=RESULT, tree=document)
    return study_id


class _References(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str | None]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        loading = {"src", "href", "xlink:href", "srcset", "data", "action", "poster"}
        self.found += [(name, value) for name, value in attrs if name in loading or name.startswith("on")]


def check_alone(page: str) -> None:
    """Nothing in the page is loaded from elsewhere, and nothing in it runs."""
    parser = _References()
    parser.feed(page)
    assert parser.found == []
    assert parser.tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form"})
    assert not re.search(r"url\(|@import|javascript:", page)


def read(contents: Contents, out: Path) -> str:
    write_report(contents, out, converters([]))
    return (out / PAGE).read_text("utf-8")


def test_a_study_of_a_service_has_a_report(api: Api, tmp_path: Path) -> None:
    study_id = finished(api)
    said = taskgraft("report", study_id, "--out", tmp_path / "out", "--url", api.url, "--json")
    assert said.code == 0, said.err
    files = {Path(path).name for path in said.document["files"]}
    assert {"report.html", "tree.svg", "tree-narrow.svg", "matrix.svg", "curves-3.svg"} <= files
    assert {path.name for path in (tmp_path / "out").iterdir()} == files
    for picture in (tmp_path / "out").glob("*.svg"):
        read_picture(picture.read_text("utf-8"))
    page = Path(said.document["report"]).read_text("utf-8")
    check_alone(page)
    for words in ("speaker", "gender + word", "You accept"):
        assert words.lower() in page.lower()


def test_a_folder_gives_the_report_that_its_service_gives(api: Api, tmp_path: Path) -> None:
    study_id = finished(api)
    with Client(api.url) as client:
        served = gather(ServiceSource(client, study_id))
    with open_run(api.settings.data_dir) as source:
        local = gather(source)
    assert local.matrix
    assert served.matrix
    assert local.tree
    assert served.tree
    assert local.matrix.cells == served.matrix.cells
    assert (local.trials, local.details, local.baselines) == (served.trials, served.details, served.baselines)
    assert (local.study["id"], local.tree["root"]) == (study_id, served.tree["root"])
    check_alone(read(local, tmp_path / "local"))


def test_what_users_named_is_text_in_the_page(api: Api, tmp_path: Path) -> None:
    study_id = finished(api)
    with Client(api.url) as client:
        found = gather(ServiceSource(client, study_id))
    study = dict(found.study) | {"name": "<script>alert(1)</script>", "reason": '"><img src=x onerror=alert(1)>'}
    page = read(replace(found, study=study), tmp_path / "r")
    check_alone(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_study_without_a_result_has_a_report_too(api: Api, tmp_path: Path) -> None:
    with Client(api.url) as client:
        page = read(gather(ServiceSource(client, api.post())), tmp_path / "r")
    check_alone(page)
    assert "Queued: there is no result yet." in page


def test_an_existing_folder_is_left_alone(api: Api, tmp_path: Path) -> None:
    study_id = api.post()
    (tmp_path / "out").mkdir()
    said = taskgraft("report", study_id, "--out", tmp_path / "out", "--url", api.url)
    assert said.code == 2
    assert "is there already" in said.err
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unknown_study_and_an_unknown_format_are_refused(api: Api, tmp_path: Path) -> None:
    assert taskgraft("report", "nothing", "--out", tmp_path / "out", "--url", api.url).code == 2
    said = taskgraft("report", "nothing", "--out", tmp_path / "out", "--url", api.url, "--format", "gif", "--json")
    assert said.document["errors"] == [{"field": "format", "message": "one of svg, png, pdf; got 'gif'"}]
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_fails_half_way_leaves_nothing(api: Api, tmp_path: Path) -> None:
    with Client(api.url) as client:
        contents = gather(ServiceSource(client, finished(api)))

    def full(svg: str) -> bytes:
        raise OSError(28, "No space left on device")

    with pytest.raises((Unavailable, OSError)):
        write_report(contents, tmp_path / "out", {next(iter(converters([]))): full})
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="can't be written"):
        write_report(contents, tmp_path / "file" / "out", converters([]))
    write_report(contents, tmp_path / "out", converters([]))
    with pytest.raises(Conflict):
        write_report(contents, tmp_path / "out", converters([]))


def test_pictures_come_as_png_and_pdf_too(api: Api, tmp_path: Path) -> None:
    pytest.importorskip("vl_convert", reason="the extra `report` is not installed")
    study_id = finished(api)
    asked = ("--format", "png", "--format", "pdf")
    assert taskgraft("report", study_id, "--out", tmp_path / "out", "--url", api.url, *asked).code == 0
    assert (tmp_path / "out" / "tree.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "out" / "tree.pdf").read_bytes().startswith(b"%PDF")


def test_a_format_without_its_extra_is_refused_by_name(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    said = taskgraft("report", api.post(), "--out", tmp_path / "out", "--url", api.url, "--format", "png", "--json")
    assert said.code == 2
    assert said.document["errors"][0]["message"].endswith('pip install "taskgraft[report]"')
    assert list(tmp_path.iterdir()) == []


def test_the_headline_has_the_figures(api: Api) -> None:
    study = api.http.get(f"/v1/studies/{finished(api)}").json()
    result = study["result"]
    words = headline(study)
    assert words.startswith(f"{result['parameters']:,} parameters answer 3 questions instead of")
    assert words.endswith("you accept 10.0\N{NO-BREAK SPACE}%.")


def test_a_curve_stands_beside_the_baseline_of_its_own_repeat(api: Api) -> None:
    study_id = api.post(repeats=2)
    api.run(study_id, Stage.EXPORT)
    for repeat in (0, 1):
        for task in TASKS:
            api.record(study_id, BranchTree.flat((task,), DEPTH, DEPTH), {task: 90 - repeat}, repeat)
    pair = BranchTree.flat(TASKS[:2], 8, DEPTH)
    api.record(study_id, pair, dict.fromkeys(TASKS[:2], 80), repeat=1)
    with Client(api.url) as client:
        found = gather(ServiceSource(client, study_id))
    (detail,) = found.details
    assert detail.repeat == 1
    assert {one.repeat for one in found.references} == {1}
    assert [one.tasks for one in found.references] == [(task,) for task in TASKS[:2]]
    assert {one.repeat for one in found.baselines} == {0}


@pytest.mark.parametrize("name", ["x/../../y", "/etc/x", "a\\b", "a\0b"])
def test_a_service_cannot_name_files_elsewhere(api: Api, tmp_path: Path, name: str) -> None:
    study_id = finished(api)
    with Client(api.url) as client:
        found = gather(ServiceSource(client, study_id))
    study = {**found.study, "spec": {**found.study["spec"], "tasks": [{"name": name}]}}
    counts = next(filter(None, found.baselines[0].confusion.values()))
    trial = found.baselines[0].model_copy(update={"tasks": (name,), "confusion": {name: counts}})
    odd = replace(found, study=study, details=(), references=(), baselines=(trial,))
    with pytest.raises(Unavailable, match="a name that no file can have"):
        write_report(odd, tmp_path / "inside" / "out", converters([]))
    with pytest.raises(Unavailable, match="a name that no file can have"):
        default_folder({"name": name, "id": "x"})
    assert not list(tmp_path.iterdir())


def test_a_bound_is_written_so_that_it_holds() -> None:
    study = {"result": {"verdict": "not_refuted", "verified_for": 0.03104}}
    assert verdict(study) == "not refuted; verified for a reduction of at most 3.11 %"


def test_the_search_that_began_a_folder_is_found_behind_many_others(tmp_path: Path) -> None:
    with new_store(tmp_path / DATABASE) as store:
        first = make_study(store, "first")
        for number in range(51):  # more than a page
            store.create_study(make_spec(f"tree-{number}"), parent=first.id)
    with open_run(tmp_path) as source:
        assert source.study()["name"] == "first"
