"""What a user does: from a zip of recordings to a bundle, in a browser."""

import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.watched import check, watched
from tests.evaluators.datasets.zips import zip_folder
from tests.search.corpora import write_beeps
from tests.service.processes import read_json, running
from tests.service.test_whole_service import TASKGRAFT

TASKS = ("pitch", "loud", "shape")
SHORT = {"epochs": 4, "batch_size": 12, "learning_rate": 0.005}
"""After so few steps, some pairs lose something: thresholds have several trees."""
TRAINED = 120_000
"""Milliseconds for a study, on a machine that does other things too."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service that trains, on one core."""
    folder = tmp_path_factory.mktemp("walk")
    command = [*TASKGRAFT, "serve", "--port", "0", "--json", "--cores", "1", "--data-dir", str(folder / "data")]
    with running(command, folder / "log") as service:
        yield read_json(service)["url"]


@pytest.mark.slow(seconds=60)
def test_from_recordings_to_a_bundle(browser: Browser, base: str, tmp_path: Path) -> None:
    with watched(browser, base) as page:
        page.goto("/")
        check(page)
        upload(page, tmp_path)
        study = start_study(page)
        watch_it_end(page)
        open_a_cell(page)
        move_the_slider(page)
        check(page)
        train_another_tree(page, study)
        download(page, tmp_path)


def write_doubtful(folder: Path) -> None:
    """Write a corpus with wrong labels here and there, so that its pairs differ."""
    manifest = write_beeps(folder, clips=120)
    head, *rows = manifest.read_text().splitlines()
    for place, row in enumerate(rows):
        path, split, pitch, loud, shape = row.split(",")
        pitch = {"low": "high", "high": "low"}[pitch] if place % 7 == 0 else pitch
        shape = {"sine": "square", "square": "sine"}[shape] if place % 9 == 4 else shape
        rows[place] = ",".join((path, split, pitch, loud, shape))
    manifest.write_text("\n".join([head, *rows]) + "\n")


def upload(page: Page, folder: Path) -> None:
    """Upload a zip, and wait until it has been checked."""
    write_doubtful(folder / "beeps")
    (folder / "beeps.zip").write_bytes(zip_folder(folder / "beeps"))
    page.goto("/datasets")
    page.get_by_label("Name", exact=True).first.fill("beeps")
    page.get_by_label("Zip").set_input_files(folder / "beeps.zip")
    page.get_by_role("button", name="Upload").click()
    expect(page).to_have_url(re.compile("/datasets/beeps"))
    expect(page.locator("main .tag").first).to_have_text("ready", timeout=TRAINED)
    check(page)


def start_study(page: Page) -> str:
    """Make a study by the form, with a fault first; return the address of its page."""
    page.goto("/new")
    page.get_by_label("Name of the study").fill("beeps")
    page.get_by_label("Accepted reduction Q, %").fill("100")
    page.get_by_label("Strategy").select_option("exhaustive")
    tasks = page.locator("#tasks fieldset")
    while tasks.count() < len(TASKS):
        page.get_by_role("button", name="Add a task").click()
    for place, name in enumerate(TASKS):
        tasks.nth(place).get_by_label("Dataset").select_option("beeps")
        tasks.nth(place).get_by_label("Column or event").select_option(name)
        tasks.nth(place).get_by_label("Name of the task").fill(name)
    check(page)
    page.get_by_role("button", name="Start the study").click()
    expect(page.locator("#ar_threshold")).to_be_focused()  # Q is below 1: nothing was started
    check(page)
    page.locator("#ar_threshold").fill("2")
    write_json(page, depths=[4, 8], training=SHORT)
    expect(page.get_by_label("Epochs of a training")).to_have_value("4")
    page.get_by_role("button", name="Check and plan").click()
    expect(page.locator("#plan")).to_be_visible()
    expect(page.locator("#plan")).to_contain_text("exhaustive")
    check(page)
    page.get_by_role("button", name="Start the study").click()
    page.wait_for_url(re.compile("/studies/"))
    return page.url


def write_json(page: Page, **more: Any) -> None:
    """Say by hand what has no place in the form."""
    page.get_by_text("The study as JSON").click()
    box = page.locator("#json")
    box.fill(json.dumps({**json.loads(box.input_value()), **more}))
    box.blur()


def watch_it_end(page: Page) -> None:
    """See progress move and cells fill in; the page is never loaded anew by hand."""
    expect(page.locator("h1")).to_contain_text("beeps")
    standing, seen = page.locator("#standing"), set[str]()
    while standing.locator(".tag").first.inner_text() in {"queued", "running"}:
        seen.add(standing.inner_text())
        page.wait_for_timeout(200)
    assert len(seen) > 2, seen
    expect(page.locator("#slider")).to_be_visible(timeout=TRAINED)
    assert page.locator(".matrix td a").count() >= 3
    check(page)


def open_a_cell(page: Page) -> None:
    """Open learning curves above the page, by keyboard, and close them again."""
    page.locator(".matrix td a").first.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("svg").first).to_be_visible()
    check(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def move_the_slider(page: Page) -> None:
    """Move it until there is a tree that nobody has trained: another picture, and an offer to train it."""
    slider, before = page.locator("#slider"), page.locator("#tree svg").first.inner_html()
    train = page.get_by_role("button", name="Train and verify this tree")
    slider.focus()
    page.keyboard.press("Home")
    for _ in range(int(slider.get_attribute("max") or 0)):
        page.keyboard.press("ArrowRight")
        expect(page.locator("#at-words")).to_have_attribute("data-step", slider.input_value())
        if train.count():
            break
    expect(page.locator("#why")).to_have_count(0)  # the slider rests: the reasons have come, and nothing moves any more
    expect(train).to_be_visible()
    assert page.locator("#tree svg").first.inner_html() != before


def train_another_tree(page: Page, study: str) -> None:
    """Have the tree under the slider trained: a study of its own, which takes over what is there."""
    page.get_by_role("button", name="Train and verify this tree").click()
    page.wait_for_url(lambda address: "/studies/" in address and address != study)
    expect(page.get_by_role("heading", name="Alone and in the tree")).to_be_visible(timeout=TRAINED)


def download(page: Page, folder: Path) -> None:
    """Download everything, and look into it."""
    with page.expect_download() as begun:
        page.get_by_role("link", name="Everything as one zip").click()
    begun.value.save_as(folder / "bundle.zip")
    with zipfile.ZipFile(folder / "bundle.zip") as bundle:
        assert any(name.endswith("model.onnx") for name in bundle.namelist())


def test_a_service_that_goes_away_is_missed_and_found_again(browser: Browser, tmp_path: Path) -> None:
    """The page of a study that waits looks again and again; Chromium logs what it cannot reach, so nobody listens."""
    command = [*TASKGRAFT, "serve", "--no-runner", "--json", "--data-dir", str(tmp_path / "data"), "--port"]
    with running([*command, "0"], tmp_path / "log", expect=(-9,), may_end=True) as service:
        base = read_json(service)["url"]
        tasks = [{"name": "who", "dataset": "demo-speech", "target": "gender"}]
        study = httpx.post(f"{base}/v1/studies", json={"name": "s", "ar_threshold": 0.1, "tasks": tasks}).json()["id"]
        page = browser.new_page()
        page.goto(f"{base}/studies/{study}")
        expect(page.locator("#gone")).to_be_hidden()
        service.kill()
        service.wait()
    expect(page.locator("#gone")).to_be_visible(timeout=20_000)
    with running([*command, base.rpartition(":")[2]], tmp_path / "log again"):
        expect(page.locator("#gone")).to_be_hidden(timeout=60_000)
        page.close()


def test_a_form_keeps_every_digit_of_what_nobody_changed(browser: Browser, tmp_path: Path) -> None:
    """Trees are told apart by thresholds of 17 digits: a study that starts from another one must not round them."""
    command = [*TASKGRAFT, "serve", "--no-runner", "--json", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with running(command, tmp_path / "log") as service, watched(browser, read_json(service)["url"]) as page:
        exact = {"ar_threshold": 0.012345679012345678, "budget": {"trials": None, "seconds": 100.0}}
        tasks = [{"name": "who", "dataset": "demo-speech", "target": "gender"}]
        study = page.request.post("/v1/studies", data={"name": "s", "tasks": tasks, **exact}).json()["id"]
        page.goto(f"/new?from={study}")
        page.get_by_label("Name of the study").fill("renamed")
        page.get_by_label("Name of the study").blur()
        made = json.loads(page.locator("#json").input_value())
        assert made["name"] == "renamed"
        assert {**exact, **made} == made


def test_an_unknown_study_has_a_page(browser: Browser, base: str) -> None:
    context = browser.new_context(base_url=base)
    page = context.new_page()
    answer = page.goto("/studies/nobody")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    check(page)
    context.close()
