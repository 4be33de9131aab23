"""The page of a study, in every state; its slider, its cells and its trainings."""

import gzip
import html as plain
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest

from taskgraft.api.pages import reading
from taskgraft.api.pages.telling import Telling
from taskgraft.api.pages.threshold import Steps
from taskgraft.search.store.findings import TradeoffPoint
from taskgraft.search.study.comparison_table import ComparisonTable, Refusal, Row, RowPart, RowTask
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.study import Progress, RunningTrial
from taskgraft.search.study.trial import Training
from taskgraft.space.document import tree_document
from taskgraft.space.matrix import Cell, ReductionMatrix
from taskgraft.space.templates.registry import get_template
from taskgraft.space.tree import BranchTree
from tests.api.conftest import LEASE, Api, measurement
from tests.api.pages.browsing import SECONDS, page, text_of
from tests.api.test_http_comparisons import finish
from tests.search.results import RESULT
from tests.search.store.samples import lease_of, record

MOST_BYTES = 60_000


@pytest.fixture(scope="module")
def succeeded(api: Api) -> str:
    """A study that has succeeded, whose matrix and trade-off were worked out."""
    study_id = finish(api)
    assert api.http.get(f"/v1/studies/{study_id}/matrix", timeout=SECONDS).status_code == 200
    return study_id


def test_a_page_does_not_wait_for_a_matrix_that_is_worked_out(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    study_id = finish(api, name="soon")
    monkeypatch.setattr(reading, "_SOON", 0.0)
    html = page(api, f"/studies/{study_id}")
    assert "it is being worked out, and comes by itself" in text_of(html)
    assert "data-poll" in html
    assert api.http.get(f"/v1/studies/{study_id}/matrix", timeout=SECONDS).status_code == 200
    monkeypatch.undo()
    assert '<table class="matrix"' in page(api, f"/studies/{study_id}")


def test_a_sentence_says_result_and_verdict(api: Api, succeeded: str) -> None:
    words = text_of(page(api, f"/studies/{succeeded}"))
    assert "40,000 parameters answer 3 questions instead of 100,000 in models of their own (60 % saved" in words
    assert "The worst task, gender, loses" in words
    assert "you accept 10 %" in words
    assert "Not refuted: the test clips cannot tell" in words
    assert "the nearest that it is verified for is 2.51 %" in words


def test_a_task_stands_beside_its_baseline(api: Api, succeeded: str) -> None:
    words = text_of(page(api, f"/studies/{succeeded}"))
    assert "its baseline is no better than chance: part of no verdict" in words


def test_the_matrix_has_the_deepest_depth_first_and_signs_beside_colours(api: Api, succeeded: str) -> None:
    html = page(api, f"/studies/{succeeded}")
    table = html[html.index('<table class="matrix"') :].partition("</table>")[0]
    depths = re.findall(r"sharing </span>(\d)", table)
    assert depths == ["8", "6", "4"]
    first = text_of(table[table.index("<tbody>") :].partition("</tr>")[0])
    assert first.startswith("gender + word ✗ 25.0")
    assert first.endswith("· not asked")
    assert set(re.findall(r'<td class="([kob])[^"]*"[^>]*><a[^>]*><i>(.)', table)) <= {
        ("k", "✓"),
        ("o", "≈"),
        ("b", "✗"),
    }


def test_the_slider_stops_where_the_tree_changes(api: Api, succeeded: str) -> None:
    html = page(api, f"/studies/{succeeded}")
    last = int(re.search(r'id="slider" min="0" max="(\d+)"', html)[1])  # type: ignore[index]
    steps = json.loads(plain.unescape(re.search(r'data-thresholds="([^"]*)"', html)[1]))  # type: ignore[index]
    trade = api.http.get(f"/v1/studies/{succeeded}/tradeoff").json()["items"]
    assert {point["ar_threshold"] for point in trade} <= set(steps)
    assert steps == sorted(steps)
    assert len(steps) == last + 1
    shown = [page_part(api, f"/studies/{succeeded}/at?at={at}") for at in steps]
    assert [re.search(r'data-step="(\d+)"', part)[1] for part in shown] == list(map(str, range(last + 1)))  # type: ignore[index]
    assert shown[0] != shown[-1]
    assert "at most 0 %" in text_of(shown[0])


def page_part(api: Api, path: str) -> str:
    answer = api.http.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200
    return answer.text


def test_the_study_s_own_threshold_is_measured_and_others_are_predicted(api: Api, succeeded: str) -> None:
    own, other = page(api, f"/studies/{succeeded}"), page(api, f"/studies/{succeeded}?at=0.25")
    assert "trained and measured" in own
    assert "Train and verify this tree" not in own
    assert "only predicted" in other
    explained = text_of(page_part(api, f"/studies/{succeeded}/at?at=0.3&why=1"))
    assert "which takes over what this one has trained: it takes" in explained
    assert f'data-post="/v1/studies/{succeeded}/trees"' in other


@pytest.mark.parametrize(
    ("asked", "said"),
    [("7", "the tree is the same: it does not change in between"), ("-1", ""), ("x", ""), ("nan", "")],
)
def test_a_threshold_that_cannot_be_gives_the_nearest(api: Api, succeeded: str, asked: str, said: str) -> None:
    assert said in text_of(page(api, f"/studies/{succeeded}?at={asked}"))


def test_where_nothing_can_be_shared_the_nearest_that_shares_is_named(api: Api) -> None:
    study_id = finish(api, name="apart")
    spec = get_template("cnn8")
    trees = {
        0.0: BranchTree.flat(("gender", "word", "age_group"), 0, 8),
        0.04: BranchTree.flat(("gender", "word", "age_group"), 4, 8),
    }
    points = [
        TradeoffPoint(at, str(at), document["encoder_parameters"], None, document)
        for at, document in ((at, tree_document(tree, spec, at)) for at, tree in trees.items())
    ]
    api.store.findings.keep_tradeoff(study_id, points)
    words = text_of(page(api, f"/studies/{study_id}?at=0"))
    assert "Nothing can be shared at 0 %" in words
    assert "The nearest threshold at which tasks share is 4 %" in words
    assert "Train and verify" not in words


def test_a_tree_for_another_threshold_counts_as_trained_once_its_study_has_succeeded(api: Api, succeeded: str) -> None:
    made = api.http.post(f"/v1/studies/{succeeded}/trees", json={"ar_threshold": 0.3}).json()["id"]
    assert "has not measured it yet" in text_of(page(api, f"/studies/{succeeded}?at=0.3"))
    api.run(made, Stage.PAIRS)
    api.store.finish(lease_of(api.store, made), State.SUCCEEDED, result=RESULT)
    words = text_of(page(api, f"/studies/{succeeded}?at=0.3"))
    assert "trained and measured another study: AR 1.0 % on test, not refuted" in words
    assert "It takes another study further" in text_of(page(api, f"/studies/{made}"))


def test_the_same_tree_at_another_threshold_was_trained_too(api: Api) -> None:
    study_id = finish(api, name="same")
    document = api.http.get(f"/v1/studies/{study_id}/tree").json()
    flat = tree_document(BranchTree.flat(("gender", "word", "age_group"), 8, 8), get_template("cnn8"), 0.4)
    points = [
        TradeoffPoint(at, str(at), form["encoder_parameters"], None, {**form, "ar_threshold": at, "branchings": []})
        for at, form in ((0.0, document), (0.05, document), (0.4, flat))
    ]
    api.store.findings.keep_tradeoff(study_id, points)
    below, above = (text_of(page(api, f"/studies/{study_id}?at={at}")) for at in (0.05, 0.4))
    assert "trained and measured at 10 %, as the same tree: AR 1.0 % on test, which verifies it here too" in below
    assert "only predicted" in above


def test_a_tree_whose_study_was_cancelled_may_be_trained_again(api: Api) -> None:
    study_id = finish(api, name="again")
    made = api.http.post(f"/v1/studies/{study_id}/trees", json={"ar_threshold": 0.4}).json()["id"]
    assert "Train and verify" not in page(api, f"/studies/{study_id}?at=0.4")
    api.http.post(f"/v1/studies/{made}/cancel")
    html = page(api, f"/studies/{study_id}?at=0.4")
    assert "its study has not measured it." in text_of(html)
    assert "Train and verify" in html


def test_a_cell_opens_the_learning_curves_of_both_tasks(api: Api, succeeded: str) -> None:
    html = page(api, f"/studies/{succeeded}")
    href = plain.unescape(re.search(r'href="(/studies/\w+/cell\?[^"]*)"', html)[1])  # type: ignore[index]
    opened = page(api, href)
    assert "gender + word, sharing 8 blocks" in text_of(opened)
    assert "<svg" in opened
    assert "AR 25.0 % on validation. gender loses 0.0 %; word loses 25.0 %." in text_of(opened)


@pytest.mark.parametrize("query", ["a=1&b=0&d=8", "a=0&b=9&d=8", "a=0&b=0&d=8"])
def test_a_cell_of_no_pair_is_not_found(api: Api, succeeded: str, query: str) -> None:
    page(api, f"/studies/{succeeded}/cell?{query}", 404)


def test_trainings_have_pages_of_their_own(api: Api, succeeded: str) -> None:
    assert "All trainings" in page(api, f"/studies/{succeeded}")
    assert "gender + word" in text_of(page(api, f"/studies/{succeeded}/trainings"))
    assert "A model of its own" in text_of(page(api, f"/studies/{succeeded}/trainings/0"))
    page(api, f"/studies/{succeeded}/trainings/999", 404)


def test_files_are_offered_once_they_are_there(api: Api) -> None:
    study_id = finish(api, name="files")
    assert "There are no files" in page(api, f"/studies/{study_id}")
    api.offer(study_id, {"model.onnx": b"x" * 2000})
    words = text_of(page(api, f"/studies/{study_id}"))
    assert "model.onnx 2.0 kB" in words


def test_confusions_have_the_names_of_classes_once_the_bundle_tells_them(api: Api) -> None:
    study_id = finish(api, name="named")
    assert "no &lt;word&gt;" not in page(api, f"/studies/{study_id}/trainings/0")
    api.offer(study_id, {"labels.json": b'{"gender": {"kind": "clip", "labels": ["no <word>", "yes"]}}'})
    html = page(api, f"/studies/{study_id}/trainings/0")
    assert "no &lt;word&gt;" in html
    assert "of them. " in text_of(page(api, f"/studies/{study_id}/trainings/4"))


def test_a_queued_study_says_that_it_waits_and_may_be_cancelled(api: Api) -> None:
    study_id = api.post(name="waits")
    html = page(api, f"/studies/{study_id}")
    assert "It waits for a runner" in html
    assert 'data-poll="2000"' in html
    assert f'data-post="/v1/studies/{study_id}/cancel"' in html


def test_a_running_study_shows_stages_time_left_and_what_is_under_way(api: Api) -> None:
    study_id = api.post(name="runs")
    api.run(study_id, Stage.PAIRS)
    running = [RunningTrial(("gender", "word"), 6, 0, 0.4, 3.0, "host:1")]
    progress = Progress(4, 9, 0.4, 240.0, 900.0, 12)
    api.store.renew(lease_of(api.store, study_id), LEASE, progress=progress, running=running)
    words = text_of(page(api, f"/studies/{study_id}"))
    assert "40 %: 4 of 9 trainings at least, 12 at most; between 4 min and 15 min left" in words
    assert "gender + word sharing 6 blocks: 40 %" in words
    assert "There is no tree yet" in words


@pytest.mark.parametrize("reason", ["out of memory", "<script>alert(1)</script>"])
def test_a_failed_study_says_why(api: Api, reason: str) -> None:
    study_id = api.post(name="fails")
    api.run(study_id, Stage.BASELINES)
    api.store.finish(lease_of(api.store, study_id), State.FAILED, reason=reason)
    html = page(api, f"/studies/{study_id}")
    assert plain.escape(reason) in html
    assert "data-poll" not in html


def test_a_cancelled_study_keeps_what_it_measured(api: Api) -> None:
    study_id = api.post(name="stops")
    api.http.post(f"/v1/studies/{study_id}/cancel")
    assert "It was cancelled" in text_of(page(api, f"/studies/{study_id}"))


def test_a_comparison_has_a_page_of_its_own(api: Api, succeeded: str) -> None:
    made = api.http.post(f"/v1/studies/{succeeded}/comparisons", json={"systems": ["flat"]}).json()["id"]
    assert "A comparison of 1 system" in text_of(page(api, f"/studies/{made}"))
    assert "A comparison of 1 system" in text_of(page(api, f"/studies/{succeeded}"))


def test_a_comparison_that_has_succeeded_shows_its_rows_there_and_at_its_study(api: Api) -> None:
    study_id = finish(api, name="compared")
    made = api.http.post(f"/v1/studies/{study_id}/comparisons", json={"systems": ["independent"]}).json()["id"]
    tree = BranchTree.flat(("gender",), 8, 8).to_json()
    row = Row(
        "independent", "independent <models>", (RowTask("gender", "accuracy", 0.8, (0.7, 0.9), 0.0),), 0.05, (0.0, 0.1),
        12_345, 40, 2_000_000, 1, 3, 4.5, (RowPart(("gender",), ("gender",), tree),),
        nominal_parameters=9, packed_bytes=38,
    )  # fmt: skip
    table = ComparisonTable(0.1, (row,), (Refusal("hoa", "too many tasks"),), ("one seed",))
    api.store.acquire_study(made, "runner", LEASE)
    lease = lease_of(api.store, made)
    api.store.set_facts(lease, {**api.store.get_study(made).facts, "comparison_table": table.to_json()})
    api.store.finish(lease, State.SUCCEEDED)
    for shown in (page(api, f"/studies/{made}"), page(api, f"/studies/{study_id}")):
        assert "independent &lt;models&gt;" in shown
        words = text_of(shown)
        assert "12,345 2.0 M 5.0 % ✓ 0.0 to 10.0" in words
        assert "hoa has no row: too many tasks" in words
    assert "<svg" in page(api, f"/studies/{made}")


def test_twenty_tasks_stay_below_sixty_kilobytes(api: Api) -> None:
    tasks = [{"name": f"task-{number}", "dataset": "demo-speech", "target": "word"} for number in range(20)]
    study_id = api.post(name="twenty", tasks=tasks, depths=[4, 5, 6, 7, 8])
    held = api.run(study_id, Stage.PAIRS)
    names = held.spec.task_names
    api.record(study_id, BranchTree.flat(names[:1], 8, 8), {names[0]: 80})
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    cells = {
        pair: {
            depth: Cell(ar, ar / 2, ar * 1.5)
            for depth in held.spec.depths
            for ar in [(number * 37 + depth) % 101 / 1000]
        }
        for number, pair in enumerate(pairs)
    }
    api.store.findings.keep_matrix(study_id, ReductionMatrix(names, cells), 0, lease_of(api.store, study_id))
    html = page(api, f"/studies/{study_id}")
    assert html.count("/cell?") == 950
    assert len(gzip.compress(html.encode(), 6)) < MOST_BYTES


def test_between_two_steps_the_tree_is_that_of_the_lower_one() -> None:
    """Accept no more than was asked for, as the nearest step may do."""
    steps = Steps((0.0, 0.02, 0.032), ())
    assert [steps.at(asked) for asked in (-1.0, 0.0, 0.019, 0.02, 0.031, 0.032, 1.0)] == [0, 0, 0, 1, 1, 2, 2]


def test_trunks_are_no_trainings_of_a_pair(api: Api) -> None:
    study_id = finish(api, name="trunks")
    flat = BranchTree.flat(("gender", "word"), 8, 8)
    record(api.store, study_id, Training(flat, 7, is_trunk=True), measurement({"gender": 70, "word": 70}))
    words = text_of(page(api, f"/studies/{study_id}/cell?a=0&b=1&d=8"))
    assert "AR 25.0 % on validation" in words
    assert words.count(" on validation.") == 1


def test_a_result_without_bounds_claims_none() -> None:
    """Results of the first versions have no tasks, and nothing that says what they are verified for."""
    old = replace(RESULT, tasks=(), verified_for=None)
    assert Telling(SimpleNamespace(result=old)).verdict.endswith("whether it keeps what you accept.")  # type: ignore[arg-type]


def test_what_is_said_beside_a_button_outlives_the_next_poll(api: Api) -> None:
    html = page(api, f"/studies/{api.post(name='buttons')}")
    moving, _, rest = html.partition('<div id="standing" data-live>')[2].partition('</div>\n<div class="row">')
    buttons, _, below = rest.partition('<div id="further" data-live>')
    assert "/cancel" in buttons
    assert "data-post" not in moving + below.partition("</section>")[0]
