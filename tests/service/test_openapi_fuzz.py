"""The short form of `tests.service.openapi_fuzz`."""

import importlib.util

import pytest

from tests.service.openapi_fuzz import SHORT, fuzz


@pytest.mark.skipif(importlib.util.find_spec("schemathesis") is None, reason="schemathesis is not installed")
@pytest.mark.slow(15)
def test_answers_are_what_the_document_says() -> None:
    ended = fuzz(examples=2, options=SHORT, with_token=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
