"""The notebooks that are handed out run from start to end, and are stored without what they print."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))


def printed(notebook: Any) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_a_notebook_is_stored_clean(path: Path) -> None:
    notebook = nbformat.read(path, 4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)


@pytest.mark.slow(20)
@pytest.mark.filterwarnings("default")  # of the notebook tools; those of taskgraft are errors in its own tests
def test_a_study_on_own_data_runs_as_the_notebook_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    assert [path.stem for path in NOTEBOOKS] == ["own-data"]
    notebook = nbformat.read(NOTEBOOKS[0], 4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()
    said = printed(notebook)
    assert "'succeeded'" in said
    assert "ar_threshold: Input should be less than 1; got 5\ndepths: one depth or more" in said
    assert "verdict: " in said
    assert "Q = 90%: [(('speed', 'bearing', 'valve'), (0, 8))]" in said
    assert "'event': 'valve'" in said
    assert (tmp_path / "taskgraft-runs" / "machine" / "taskgraft.db").is_file()
