"""JSON bodies before anything is made of them, and the size of what is answered about bad ones."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskgraft.api.middleware.json_bodies import MAX_DEPTH, MAX_VALUES, check_json
from taskgraft.errors import MAX_FAULTS, InvalidInput, MalformedInput
from tests.api.conftest import Api, body
from tests.api.test_http_errors import JSON_HEADERS, check

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@settings(max_examples=40, deadline=None)
@given(JSON)
def test_what_is_written_from_values_is_fine(document: Any) -> None:
    check_json(json.dumps(document).encode())


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:0123456789eE+-.\\u tfn', max_size=60).map(str.encode))
def test_other_bytes_are_malformed_or_json(content: bytes) -> None:
    try:
        check_json(content)
    except InvalidInput:
        return
    if content:
        json.loads(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "not JSON: Expecting property name enclosed in double quotes at character 1"),
        (b'"\xff"', "not JSON: no text at byte 1"),
        (b'{"a": 1, "b": {"x": 1, "x": 1}}', "a key appears once in an object; got 'x' twice"),
        (b'{"a": 1, "\\u0061": 2}', "a key appears once in an object; got 'a' twice"),
        (b"[" * 200_000, "nested at most 32 deep"),
        (b"[" * (MAX_DEPTH + 2) + b"]" * (MAX_DEPTH + 2), "nested at most 32 deep"),
        (b"9" * 5_000, "too many digits"),
    ],
)
def test_what_cannot_be_read_by_all_alike_is_malformed(text: bytes, message: str) -> None:
    with pytest.raises(MalformedInput, match=message):
        check_json(text)


@pytest.mark.parametrize(
    "document",
    [
        [0] * (MAX_VALUES + 1),
        dict.fromkeys(map(str, range(MAX_VALUES + 1))),
        [[0] * 100] * 100,
        [{str(place): [] for place in range(100)}] * 101,
    ],
)
def test_more_values_than_anybody_needs_are_refused(document: Any) -> None:
    with pytest.raises(InvalidInput, match="at most 10,000 values"):
        check_json(json.dumps(document).encode())
    check_json(json.dumps([0] * MAX_VALUES).encode())


def unknown_fields(count: int, length: int) -> bytes:
    """A study with so many fields that there are none of, whose names are long and not ASCII."""
    extra = {f"{'ä' * length}{place}": 0 for place in range(count)}
    return json.dumps({**body(), **extra}, ensure_ascii=False).encode()


@pytest.mark.parametrize(("count", "length"), [(90, 4_500), (9_000, 40), (1, 400_000)])
def test_a_large_body_of_faults_gets_a_small_answer(api: Api, count: int, length: int) -> None:
    content = unknown_fields(count, length)
    assert len(content) < 1 << 20
    answer = api.http.post("/v1/studies", content=content, headers=JSON_HEADERS)
    check(answer, 422)
    assert len(answer.content) < 500_000
    errors = answer.json()["errors"]
    assert len(errors) <= MAX_FAULTS + 1
    if count > MAX_FAULTS:
        assert errors[-1]["message"] == f"and {count - MAX_FAULTS:,} more"


def test_a_megabyte_of_fields_is_refused_before_they_are_looked_at(api: Api) -> None:
    content = unknown_fields(60_000, 2)
    answer = api.http.post("/v1/studies", content=content, headers=JSON_HEADERS)
    check(answer, 422)
    assert answer.json()["errors"] == [{"field": "body", "message": "a body has at most 10,000 values"}]


def test_a_key_that_appears_twice_is_told_over_http(api: Api) -> None:
    text = json.dumps(body())[:-1] + ', "ar_threshold": 0.5}'
    answer = api.http.post("/v1/studies", content=text, headers=JSON_HEADERS)
    check(answer, 400)
    assert answer.json()["errors"][0]["message"] == "a key appears once in an object; got 'ar_threshold' twice"
