"""YAML that means what it looks like: plain data by the core schema of YAML 1.2, read safely and written to match.

PyYAML reads YAML 1.1, in which ``1:30`` is 90, ``010`` is 8, ``1e-3`` is a text, ``no`` is false, ``2026-11-21`` is a
date, and a few aliases can stand for billions of values. Here a number is a decimal number (YAML 1.2, section 10.3.2,
without octal and hexadecimal), ``true``, ``false`` and ``null`` are what they say, and everything else is a text.
"""

import re
from collections.abc import Callable, Hashable
from types import MappingProxyType
from typing import Any, cast

import yaml
from yaml.constructor import ConstructorError

from taskgraft.errors import MalformedInput

MAX_LEVELS = 100
"""How deep values may be nested; a tree of 64 tasks takes fewer."""
_MAX_DIGITS = 400
_CORE = "tag:yaml.org,2002:"
_PLAIN = MappingProxyType(
    {
        "null": (re.compile(r"(?:~|null|Null|NULL|)$"), ("~", "n", "N", "")),
        "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
        "int": (re.compile(r"[-+]?(?:0|[1-9][0-9]*)$"), "-+0123456789"),
        "float": (
            re.compile(
                r"(?:[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
                r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
            ),
            "-+.0123456789",
        ),
    }
)
"""What an unquoted scalar may be beside a text, in the order in which it is tried, with its first characters."""


class _Loader(yaml.SafeLoader):
    """Builds plain data, and refuses what could surprise: anchors, tags, repeated keys, deep nesting."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._levels = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise _refused("anchors and aliases (& and *) are not taken: write the value out", event)
        if getattr(event, "tag", None) is not None:
            raise _refused("tags (!) are not taken", event)
        if self._levels == MAX_LEVELS:
            raise _refused(f"values are nested at most {MAX_LEVELS} levels deep", event)
        self._levels += 1
        node = super().compose_node(parent, index)
        self._levels -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused("a key is a text", key)
            if key.value in seen:
                raise _refused(f"the key {key.value!r:.80} is there twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_BREAKS = frozenset("\x85\u2028\u2029")
"""Line breaks to readers of YAML 1.1, which fold them."""


class _Dumper(yaml.SafeDumper):
    """Quotes each text that a reader of YAML 1.1 or `_Loader` would take for something else; writes no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """Write a text; one with a line break of Unicode in double quotes, where it is escaped and so not folded."""
        style = '"' if _BREAKS.intersection(text) else None
        return self.represent_scalar(_CORE + "str", text, style)


def _refused(message: str, at: yaml.Event | yaml.Node) -> ConstructorError:
    return ConstructorError(None, None, message, cast("yaml.Mark", at.start_mark))


def _number(read: Callable[[str], float]) -> Callable[[_Loader, yaml.ScalarNode], float]:
    def construct(loader: _Loader, node: yaml.ScalarNode) -> float:
        if len(node.value) > _MAX_DIGITS:
            raise _refused(f"a number has at most {_MAX_DIGITS} digits", node)
        return read(node.value)

    return construct


def _float(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


def _install() -> None:
    _Dumper.add_representer(str, _Dumper.represent_text)
    _Loader.yaml_implicit_resolvers = {}
    for kind in (_Loader, _Dumper):  # the dumper has those of YAML 1.1 besides
        for name, (pattern, first) in _PLAIN.items():
            kind.add_implicit_resolver(_CORE + name, pattern, list(first))
    _Loader.yaml_constructors = {}
    for name in ("null", "bool", "str", "seq", "map"):
        _Loader.add_constructor(_CORE + name, getattr(yaml.SafeLoader, f"construct_yaml_{name}"))
    _Loader.add_constructor(_CORE + "int", _number(int))
    _Loader.add_constructor(_CORE + "float", _number(lambda text: _float(text.lower())))


_install()


def load(text: str, where: str) -> Any:
    """Read one YAML (or JSON) document.

    Raises:
        MalformedInput: at ``where:LINE``: it is not YAML, or has something that is refused.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader with further restrictions
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f"{where}:{mark.line + 1}" if mark else where
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        rule = problem if isinstance(error, ConstructorError) else f"is not YAML: {problem}"
        raise MalformedInput.at(at, rule) from error


def dump(value: object) -> str:
    """Write plain data so that `load` and all readers of YAML 1.1 and 1.2 read the same."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text
