"""YAML as it is read and written here, and small files that once took minutes."""

import time
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from taskgraft.errors import MalformedInput
from taskgraft.space import plain_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("0", 0),
        ("1e-3", 1e-3),
        ("1E+3", 1e3),
        ("2.5", 2.5),
        ("2.", 2.0),
        (".5", 0.5),
        ("-.inf", -float("inf")),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        # What YAML 1.1 makes numbers, dates and switches of:
        *((text, text) for text in ("1:30", "1:30:00.5", "010", "0o10", "0x1F", "0b11", "1_000", "1.5_0", "00")),
        *((text, text) for text in ("yes", "no", "on", "off", "Y", "2026-11-21", "2026-11-21 10:00:00", "=", "<<")),
        *((text, text) for text in ("1e", "e3", ".", "+", "1.2.3", "inf", "nan", "1 2", "tRUE")),
    ],
)
def test_a_plain_value_is_what_it_looks_like(text: str, value: object) -> None:
    found = plain_yaml.load(f"key: {text}", "file")["key"]
    assert (found, type(found)) == (value, type(value))


LAUGHS = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 20)
)


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        (LAUGHS, 1, "anchors and aliases (& and *) are not taken: write the value out"),
        ("a: 1\nb: *a\n", 2, "anchors and aliases"),
        ("base: &base {x: 1}\nnext: {<<: *base}\n", 1, "anchors and aliases"),
        ("a: &a [*a]\n", 1, "anchors and aliases"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' is there twice"),
        ('{"a": 1, "a": 1}', 1, "the key 'a' is there twice"),
        ("? [1, 2]\n: x\n", 1, "a key is a text"),
        ("x: !!python/object/apply:os.system ['true']\n", 1, "tags (!) are not taken"),
        ("x: !!int '1:30'\n", 1, "tags (!) are not taken"),
        ("x: 1\ny: " + "9" * 900, 2, "a number has at most 400 digits"),
        ("x: 1." + "9" * 900, 1, "a number has at most 400 digits"),
        ("[" * 900, 1, "values are nested at most 100 levels deep"),
        ("- " * 400 + "x", 1, "values are nested at most 100 levels deep"),
        ("{a: " * 200, 1, "values are nested at most 100 levels deep"),
        ("a: 1\n---\nb: 2\n", 2, "is not YAML: but found another document"),
        ("a: 'x\n", 2, "is not YAML: found unexpected end of stream"),
    ],
)
def test_what_could_surprise_is_refused_at_its_line_at_once(text: str, line: int, rule: str) -> None:
    assert len(text) < 4_000
    before = time.process_time()
    with pytest.raises(MalformedInput) as caught:
        plain_yaml.load(text, "study.yaml")
    assert time.process_time() - before < 5, "such texts take for ever if they are read to their end"
    (fault,) = caught.value.faults
    assert fault.where == f"study.yaml:{line}"
    assert fault.message.startswith(rule)


def test_a_sexagesimal_number_of_a_kilobyte_is_a_text() -> None:
    """PyYAML makes an integer of 500 digits of it, and its message takes minutes where aliases repeat it."""
    text = ":".join(["59"] * 330)
    before = time.process_time()
    assert plain_yaml.load(f"ar_threshold: {text}", "study.yaml") == {"ar_threshold": text}
    assert time.process_time() - before < 5, "such texts take for ever if they are read to their end"


@pytest.mark.parametrize("levels", [99, 100])
def test_nesting_has_a_limit(levels: int) -> None:
    value = plain_yaml.load("[" * levels + "]" * levels, "file")
    for _ in range(levels - 1):
        (value,) = value
    assert value == []


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["1e-3", "010", "1:30", "yes", "null", "~", "2026-11-21", "<<", "=", "0x1", "1_0", "!a", "&a", "*a"]
    ),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=8,
)


@given(PLAIN)
@example({"\x85": None})
@example("a\u2028b")
def test_what_is_written_is_read_back_by_all_readers(value: Any) -> None:
    text = plain_yaml.dump([value, value])
    assert plain_yaml.load(text, "file") == yaml.safe_load(text) == [value, value]
