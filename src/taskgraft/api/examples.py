"""Examples of bodies for the OpenAPI document, by the name of their schema; a test holds them valid."""

import functools
import json
from importlib import resources
from typing import Any


def example_of(name: str) -> Any:
    """Return an example of the schema; None if there is none."""
    return _examples().get(name)


@functools.cache
def _examples() -> dict[str, Any]:
    examples: dict[str, Any] = json.loads((resources.files("taskgraft.api") / "examples.json").read_text("utf-8"))
    return examples
