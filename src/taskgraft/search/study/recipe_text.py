"""The text that stands for a recipe in `Training.recipe`, and how people read it."""

import json
from collections.abc import Mapping
from typing import Any


def recipe_of(fields: Mapping[str, Any]) -> str:
    """Return the one text that stands for these fields of `training`, as plain data.

    >>> recipe_of({"mixup": 0.2, "algorithm": "hard"})
    '{"algorithm":"hard","mixup":0.2}'
    """
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), allow_nan=False)


def recipe_words(recipe: str) -> str:
    """Return a recipe for people: the name of a preset as it is, fields with their options.

    >>> recipe_words('{"algorithm":{"name":"freeze","order":["age","word"]},"mixup":0.2}')
    'algorithm freeze (order age, word), mixup 0.2'
    """
    if not recipe.startswith("{"):
        return recipe
    fields: Mapping[str, Any] = json.loads(recipe)
    return ", ".join(f"{field.replace('_', ' ')} {_said(value)}" for field, value in fields.items())


def _said(value: object) -> str:
    if isinstance(value, Mapping):
        options = ", ".join(f"{name} {_said(option)}" for name, option in value.items() if name != "name")
        return f"{value['name']} ({options})" if "name" in value else f"({options})"
    return ", ".join(map(_said, value)) if isinstance(value, list) else str(value)
