"""`import taskgraft`: what it offers, and what it costs."""

import ast
import inspect
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

import taskgraft

OFFERED = {
    *("run", "Outcome", "StudySpec", "Client", "AsyncClient", "load_bundle", "Bundle"),
    *("synthesize", "ReductionMatrix", "BranchTree", "get_template", "__version__"),
    *("TaskgraftError", "InvalidInput", "MalformedInput", "NotFound", "Conflict", "Unavailable", "TrainingFailed"),
    *("NotAuthenticated", "Forbidden", "QuotaExceeded"),
}
SOURCE = Path(inspect.getfile(taskgraft))


def test_all_is_what_is_offered_and_every_name_is_there() -> None:
    assert set(taskgraft.__all__) == OFFERED == set(dir(taskgraft))
    for name in OFFERED - {"__version__"}:
        assert inspect.getdoc(getattr(taskgraft, name)), name
    assert taskgraft.__version__ == metadata.version("taskgraft")
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        _ = taskgraft.train  # type: ignore[attr-defined]


def test_type_checkers_see_the_names_that_exist() -> None:
    """What is imported under TYPE_CHECKING is what `__getattr__` finds."""
    block = next(node for node in ast.parse(SOURCE.read_text()).body if isinstance(node, ast.If))
    typed = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert set(typed) | {"__version__"} == OFFERED
    for name, module in typed.items():
        assert getattr(taskgraft, name) is getattr(sys.modules[str(module)], name)
    assert (SOURCE.parent / "py.typed").is_file()


def test_the_readme_names_everything() -> None:
    readme = (SOURCE.parents[2] / "README.md").read_text("utf-8").partition("## From Python")[2].partition("\n## ")[0]
    assert {name for name in OFFERED if f"`{name}" not in readme and f"taskgraft.{name}" not in readme} == set()


MODULES = """
import sys, time
before = set(sys.modules)
started = time.process_time()
import taskgraft
seconds = time.process_time() - started
print(seconds, *sorted({name.split(".")[0] for name in set(sys.modules) - before}))
taskgraft.Client, taskgraft.run, taskgraft.load_bundle, taskgraft.synthesize
print(*sorted({"torch", "torchaudio", "ray", "fastapi"} & set(sys.modules)))
"""


def test_importing_takes_nothing_with_it() -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", MODULES], capture_output=True, text=True, check=True)
    first, heavy = done.stdout.splitlines()
    seconds, *packages = first.split()
    assert float(seconds) < 0.2
    assert set(packages) <= {"taskgraft", *sys.stdlib_module_names}
    assert heavy == ""


def test_a_matrix_is_a_table() -> None:
    rows = "task_a,task_b,depth,ar,low,high,at_most\na,b,6,0.01,0.0,0.03,\na,b,8,0.2,,,\na,c,8,0.015,,,yes\n"
    table = pd.DataFrame(taskgraft.ReductionMatrix.from_csv(rows).to_records())
    assert list(table.columns) == ["task_a", "task_b", "depth", "ar", "low", "high", "at_most"]
    assert table.pivot_table(index=["task_a", "task_b"], columns="depth", values="ar").loc[("a", "b")].tolist() == [
        0.01,
        0.2,
    ]
    assert table["at_most"].tolist() == [False, False, True]
    assert table["high"].isna().tolist() == [False, True, True]
