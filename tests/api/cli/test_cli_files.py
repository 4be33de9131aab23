"""Files written by hand, and everything that can be wrong with them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from taskgraft.space.tasks import NAME_RULE
from tests.api.cli.commands import taskgraft, write

TASKS = "tasks: [{name: a}, {name: b, classes: 3}]\n"


def refused(*arguments: str | Path) -> list[tuple[str, str]]:
    """Field and message of every fault of bad input; said on both channels."""
    said = taskgraft(*arguments, "--json")
    assert said.code == 2
    faults = [(error["field"], error["message"]) for error in said.document["errors"]]
    assert said.err.splitlines() == [f"error: {field}: {message}" for field, message in faults]
    return faults


def folder(path: Path) -> None:
    path.mkdir()


def content(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


@pytest.mark.parametrize(
    ("make", "where", "rule"),
    [
        (lambda path: None, "", "can't be read: No such file or directory"),
        (folder, "", "can't be read: Is a directory"),
        (content(b"tasks: []\n# gr\xfcn\n"), ":2", "is UTF-8; got the byte 0xfc"),
        (content(b"tasks: []\nname: 'open\n"), ":3", "is not YAML: found unexpected end of stream"),
        (content(b"tasks: [\n  {name: a\n"), ":3", "is not YAML"),
        (content(b"a: \x00"), "", "is not YAML"),
        (content(b"when: !!timestamp 2026-13-45\n"), ":1", "tags (!) are not taken"),
        (content(b"[" * 5_000), ":1", "values are nested at most 100 levels deep"),
        (content(b"- name: a\n"), "", "holds keys and values at its top; got list"),
        (content(b""), "", "holds keys and values at its top; got NoneType"),
        (content(b"#" * (1 << 20) + b"\n"), "", "has at most 1,048,576 bytes; this one has more"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, make: Callable[[Path], object], where: str, rule: str) -> None:
    path = tmp_path / "a study.yaml"
    make(path)
    for command in ("run", "plan", "submit", "size"):
        ((field, message),) = refused(command, path)
        assert field == f"{path}{where}"
        assert message.startswith(rule)
    assert [one for one in tmp_path.iterdir() if one != path] == []


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "tasks.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + TASKS.encode())
    assert taskgraft("size", path).code == 0


def test_json_is_yaml(tmp_path: Path) -> None:
    path = write(tmp_path / "tasks.json", '{"tasks": [{"name": "a"}]}')
    assert taskgraft("size", path).code == 0


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("template: cnn8\n", [("tasks", "is required")]),
        ("tasks: a\n", [("tasks", "Input should be a valid list; got 'a'")]),
        ("tasks: []\n", [("tasks", "List should have at least 1 item after validation, not 0; got []")]),
        ("tasks: [{name: a, clases: 3}]\n", [("tasks.0.clases", "there is no such field; got 3")]),
        ("tasks: [{name: a, classes: '3'}]\n", [("tasks.0.classes", "Input should be a valid integer; got '3'")]),
        (
            "tasks: [{name: a b}, {name: c, classes: 1}, {name: d}, {name: d}]\n",
            [
                ("tasks.0.name", f"a task's name has {NAME_RULE}; got 'a b'"),
                ("tasks.1.classes", "a clip task has at least 2 classes to tell apart; got 1"),
                ("tasks.3.name", "task names are unique; got 'd'"),
            ],
        ),
    ],
)
def test_tasks_that_break_a_rule(tmp_path: Path, text: str, faults: list[tuple[str, str]]) -> None:
    assert refused("size", write(tmp_path / "tasks.yaml", text)) == faults


def test_numbers_that_look_like_times_or_octals_are_refused_as_texts(tmp_path: Path) -> None:
    path = write(
        tmp_path / "study.yaml",
        "ar_threshold: 0:01\nseed: 010\ndepths: []\ntasks: [{name: a, dataset: b, target: c}]\n",
    )
    assert refused("plan", path) == [
        ("ar_threshold", "is a number; got '0:01'"),
        ("depths", "one depth or more; leave this out for the template's upper half; got []"),
        ("seed", "Input should be a valid integer; got '010'"),
    ]


def test_a_study_tells_all_its_faults_at_once(tmp_path: Path) -> None:
    study = """
    name: a study
    ar_threshold: .nan
    threshold: 0.02
    tasks: [{name: gender, dataset: demo-speech}, {dataset: demo-speech, target: word, kind: clips}]
    template: cnn9
    training: {epochs: 0, batch_size: many}
    """
    path = write(tmp_path / "study.yaml", study)
    fields = [field for field, _ in refused("plan", path)]
    assert fields == [
        *("name", "ar_threshold", "tasks.0.target", "tasks.1.name", "tasks.1.kind", "template"),
        *("training.epochs", "training.batch_size", "threshold"),
    ]


def test_all_faults_of_the_data_sets_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path / "one" / "manifest.csv", "path,split\nthere is nothing,holiday\n")
    study = """
    ar_threshold: 0.02
    tasks:
      - {name: a, dataset: one/manifest.csv, target: x}
      - {name: b, dataset: two/manifest.csv, target: x}
    """
    faults = refused("run", write(tmp_path / "study.yaml", study), "--out", tmp_path / "out")
    assert {field.split(".", 2)[1] for field, _ in faults} == {"0", "1"}
    assert any("manifest.csv:2" in message and "'holiday'" in message for _, message in faults)
    assert any("two/manifest.csv" in message for _, message in faults)
    assert not (tmp_path / "out").exists()
