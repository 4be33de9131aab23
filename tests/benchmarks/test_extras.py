"""What tests take from the benchmarks needs no more than the extra `test`, since `make test` installs nothing else."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def packages(extra: str) -> set[str]:
    """Return the packages of an extra, those of the extras that it holds included."""
    found: set[str] = set()
    for requirement in EXTRAS[extra]:
        own = re.fullmatch(r"taskgraft\[(.+)\]", requirement)
        found |= set().union(*map(packages, own[1].split(","))) if own else set(re.findall(r"^[\w-]+", requirement))
    return found


def imported(path: Path) -> Iterator[str]:
    """Yield the full names that a module imports when it is imported itself."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


def used_by_tests() -> set[str]:
    """Return the modules of the benchmarks that tests import or start, and all that those import."""
    texts = [path.read_text() for path in (ROOT / "tests").rglob("*.py")]
    waiting = {name for text in texts for name in re.findall(r"benchmarks(?:\.| import )(\w+)", text)}
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        path = ROOT / "benchmarks" / f"{name}.py"
        if name not in found and path.exists():
            found.add(name)
            waiting |= {other.split(".")[1] for other in imported(path) if other.startswith("benchmarks.")}
    return found


def test_no_benchmark_that_tests_use_needs_another_extra() -> None:
    others = set().union(*map(packages, EXTRAS)) - packages("test")
    assert "matplotlib" in others
    used = used_by_tests()
    assert {"replay", "worlds", "fixed_costs"} <= used
    missing = {
        (name, other)
        for name in used
        for other in imported(ROOT / "benchmarks" / f"{name}.py")
        if other.split(".")[0] in others
    }
    assert not missing
