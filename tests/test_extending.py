"""`docs/extending.md` does what it says: a copy of the package, changed as the page says, trains with all of it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import taskgraft
from tests.api.cli.commands import ONE_CORE, Said, process, write
from tests.evaluators.tones import PITCHES, RATE, SPLITS, tone

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text("utf-8")
BLOCK = re.compile(r"^`(src/[\w/.]+)`\n\n```(python|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RATINGS = ("2", "9", "10")


def apply(root: Path) -> dict[str, int]:
    """Write the page's files below ``root`` and add its lines. Return the number of lines added to each old file."""
    added = {}
    for name, language, text in BLOCK.findall(PAGE):
        if language == "python":
            assert not (root / name).exists()
            write(root / name, text)
        else:
            added[name] = add_lines(root / name, text)
    return added


def add_lines(file: Path, difference: str) -> int:
    """Put each line that begins with ``+`` behind the one before it; return how many are no imports."""
    lines, place, added = file.read_text("utf-8").splitlines(), -1, 0
    for line in difference.splitlines():
        if line.startswith("+"):
            place += 1
            lines.insert(place, line[1:])
            added += "import " not in line
        else:
            (place,) = (number for number, old in enumerate(lines) if old == line[1:])
    write(file, "\n".join(lines) + "\n")
    return added


def write_stars(root: Path, clips: int = 54) -> None:
    """Write tones that are the louder the more stars they have."""
    root.mkdir(parents=True)
    random, rows = np.random.default_rng(0), ["path,split,stars,pitch"]
    for clip in range(clips):
        stars, pitch = clip // 6 % len(RATINGS), tuple(PITCHES)[clip // 18 % 2]
        sound = 0.1 * 4**stars / 4 * tone(pitch, "sine", 0.5)
        soundfile.write(root / f"{clip}.wav", sound + random.normal(0, 0.003, len(sound)), RATE)
        rows.append(f"{clip}.wav,{SPLITS[clip % 6]},{RATINGS[stars]},{pitch}")
    write(root / "manifest.csv", "\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the changed package in ``src``, a corpus and the page's study."""
    root = tmp_path_factory.mktemp("extending")
    package = Path(taskgraft.__file__).parent
    shutil.copytree(package, root / "src" / "taskgraft", ignore=shutil.ignore_patterns("__pycache__"))
    assert apply(root) == {
        "src/taskgraft/space/templates/registry.py": 1,
        "src/taskgraft/space/named_heads.py": 1,
        "src/taskgraft/space/tasks.py": 1,
        "src/taskgraft/evaluators/kinds/registry.py": 1,
        "src/taskgraft/evaluators/metrics/registry.py": 1,
    }
    write_stars(root / "sounds")
    (study,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    write(root / "study.yaml", study)
    return root


def changed(root: Path, *arguments: str | Path) -> Said:
    """Run a command of the changed package."""
    return process(*arguments, "--json", cwd=root, PYTHONPATH=str(root / "src"))


@pytest.mark.slow
def test_the_changed_package_knows_its_additions(workshop: Path) -> None:
    templates = {one["name"]: one for one in changed(workshop, "templates").document}
    assert templates["tiny4"]["kinds"] == ["clip", "frames", "events", "tags", "value", "rating"]
    encoder = 9 * (8 + 8 * 8 + 8 * 12 + 12 * 12) + 2 * (8 + 8 + 12 + 12)
    assert templates["tiny4"]["parameters"] == encoder
    head = (9 * 12 + 1) * 16 + 17 * len(RATINGS)
    sizes = changed(workshop, "size", "study.yaml").document
    assert sizes["parameters"] == 2 * encoder + head + (12 * 4 + 1) * 2  # independent models


@pytest.mark.slow
def test_what_does_not_fit_is_refused_by_the_new_rules(workshop: Path) -> None:
    text = (workshop / "study.yaml").read_text()
    wrong = write(workshop / "wrong.yaml", text.replace("target: stars", "target: pitch, metric: accuracy"))
    faults = {fault["field"]: fault["message"] for fault in changed(workshop, "plan", wrong).document["errors"]}
    assert faults == {"tasks.0.metric": "accuracy does not fit; rating tasks are judged by within_one; got 'accuracy'"}
    wrong.write_text(text.replace("target: stars", "target: pitch"))
    faults = {fault["field"]: fault["message"] for fault in changed(workshop, "plan", wrong).document["errors"]}
    assert faults == {"tasks.0.target": "a rating is a whole number; the column has 'high', 'low'"}


@pytest.mark.slow(20)
def test_a_study_with_all_of_them_ends_with_a_model_that_answers(workshop: Path) -> None:
    said = changed(workshop, "run", "study.yaml", *ONE_CORE)
    assert said.code == 0, said.err
    bundle = Path(said.document["artifacts"])
    metrics: dict[str, Any] = json.loads((bundle / "metrics.json").read_text())["tasks"]["stars"]
    assert metrics["metric"] == "within_one"
    assert metrics["final"]["test"]["within_one"] > 0.6
    labels = json.loads((bundle / "labels.json").read_text())["stars"]
    assert labels == {"kind": "rating", "labels": list(RATINGS), "event": None}, "in the order of numbers"
    card = (bundle / "README.md").read_text()
    assert "| stars | a rating from 2 to 10 | sounds/manifest.csv |" in card
    assert "| stars | within_one | test |" in card
    assert "`tiny4`" in card
    (answer,) = changed(workshop, "predict", bundle, workshop / "sounds" / "0.wav").document.values()
    assert answer["stars"]["label"] in RATINGS
    assert 2 <= answer["stars"]["mean"] <= 10
