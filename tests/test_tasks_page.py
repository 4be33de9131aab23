"""`docs/tasks.md`: its study runs as it says, and what it says is refused is refused in these words."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from taskgraft.api.study_files import read_study
from taskgraft.errors import InvalidInput
from taskgraft.evaluators.metrics import metrics_of
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.tasks import TaskKind
from tests.api.cli.commands import ONE_CORE, taskgraft, taskgraft_in, write
from tests.evaluators.tones import RATE, SPLITS

PAGE = (Path(__file__).parents[1] / "docs" / "tasks.md").read_text("utf-8")
SCENES = {"fire": 250.0, "helicopter": 500.0, "rain": 1000.0, "sea_waves": 2000.0}
EVENTS = {"dog": 3000.0, "rooster": 4500.0, "sneeze": 6500.0}
SPEAKERS = {"train": ("anna", "ben"), "validation": ("carl", "dora"), "test": ("emil", "finn")}
SECONDS, SOUND = 0.8, 0.3


def write_scenes(root: Path, clips: int = 96) -> None:
    """Write clips with a tone for the scene, and a shorter one for each event; some have weak labels, or none."""
    random, count = np.random.default_rng(0), round(SECONDS * RATE)
    time, manifest = np.arange(count) / RATE, ["path,split,scene,supervision,dog,rooster,sneeze"]
    segments = ["path,onset,offset,event"]
    for clip in range(clips):
        scene, split = tuple(SCENES)[clip // 6 % 4], SPLITS[clip % 6]
        strength = ("strong", "weak", "unlabelled", "strong")[clip % 6] if split == "train" else "strong"
        sounding = [event for place, event in enumerate(EVENTS) if clip // 6 * 5 >> place & 1]
        sound = 0.05 * np.sin(2 * np.pi * SCENES[scene] * time) + random.normal(0, 0.003, count)
        for event in sounding:
            onset = round(random.uniform(0, SECONDS - SOUND), 3)
            there = (time >= onset) & (time < onset + SOUND)
            sound += 0.2 * there * np.sin(2 * np.pi * EVENTS[event] * time)
            if strength == "strong":
                segments.append(f"{clip}.wav,{onset},{onset + SOUND:.3f},{event}")
        if strength == "strong" and not sounding:
            segments.append(f"{clip}.wav,,,")
        words = ["" if strength == "unlabelled" else "yes" if event in sounding else "no" for event in EVENTS]
        manifest.append(f"{clip}.wav,{split},{scene},{strength},{','.join(words)}")
        soundfile.write(root / f"{clip}.wav", sound, RATE)
    write(root / "segments.csv", "\n".join(segments) + "\n")
    write(root / "manifest.csv", "\n".join(manifest) + "\n")


def write_speakers(root: Path, clips: int = 48) -> None:
    """Write tones that are the higher the older their speakers are, and the speech in them."""
    rows, segments = ["path,split,age,speaker"], ["path,onset,offset,event"]
    for clip in range(clips):
        age, time = 20 + clip // 6 * 5, np.arange(round(0.5 * RATE)) / RATE
        soundfile.write(root / f"{clip}.wav", 0.3 * np.sin(2 * np.pi * 60 * age * time), RATE)
        rows.append(f"{clip}.wav,{SPLITS[clip % 6]},{age},{SPEAKERS[SPLITS[clip % 6]][clip // 24]}")
        segments.append(f"{clip}.wav,0.1,0.4,speech")
    write(root / "segments.csv", "\n".join(segments) + "\n")
    write(root / "manifest.csv", "\n".join(rows) + "\n")


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's study, and corpora of the form that it asks for."""
    root = tmp_path_factory.mktemp("tasks")
    for name in ("scenes", "emodb"):
        (root / name).mkdir()
    write_scenes(root / "scenes")
    write_speakers(root / "emodb")
    (study,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    write(root / "study.yaml", study)
    return root


def rows_of(section: str) -> list[list[str]]:
    """Return the cells of the first table below a heading."""
    lines = PAGE.partition(section)[2].partition("\n\n|")[2].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_page_names_every_kind_and_its_metrics() -> None:
    said = {row[0].split("`")[1]: tuple(re.findall(r"`(\w+)`", row[-1])) for row in rows_of("# Kinds of tasks")}
    assert said == {kind.value: metrics_of(kind) for kind in TaskKind}
    for section in ("## What is learned", "## What a model answers"):
        assert [row[0].strip("`") for row in rows_of(section)] == list(TaskKind)


def test_the_study_is_one_whose_labels_are_used_as_the_page_says(workshop: Path) -> None:
    prepared = prepare(read_study(workshop / "study.yaml"), data_dir=workshop / "nowhere", base=workshop)
    targets = {labelled.task.name: labelled.targets for labelled in prepared.labelled}
    strength = np.array([line.split(",")[3] for line in (workshop / "scenes/manifest.csv").read_text().split()[1:]])
    assert ((strength == "strong") == targets["sounds"].labelled).all()
    assert ((strength != "unlabelled") == targets["sounds"].learnable).all()
    assert ((strength == "strong") == targets["barking"].learnable).all()
    assert ((strength != "unlabelled") == targets["heard"].learnable).all()
    assert targets["scene"].learnable.all()


REFUSED: list[dict[str, Any]] = [
    {"target": ["scene", "dog"]},
    {"target": "speech", "dataset": "emodb/manifest.csv"},
    {"target": "speaker", "dataset": "emodb/manifest.csv"},
    {"target": "scene", "kind": "frames"},
    {"target": "cow", "kind": "events"},
    {"target": ["dog", "dog"], "kind": "events"},
    {"target": "scene", "kind": "tags"},
    {"target": "scene", "kind": "value"},
    {"target": "dog", "kind": "tags", "metric": "balanced_accuracy"},
    {"target": "dog", "kind": "sounds"},
    {"target": "dog", "kind": "frames", "template": "alexnet"},
]


def messages_of(workshop: Path, task: dict[str, Any]) -> list[str]:
    """Return what a study with this task is refused with."""
    template = {"template": task["template"]} if "template" in task else {}
    asked = {"name": "a", "dataset": "scenes/manifest.csv"} | {key: task[key] for key in task if key != "template"}
    try:
        spec = StudySpec.parse({"ar_threshold": 0.1, "tasks": [asked], **template})
        prepare(spec, data_dir=workshop / "nowhere", base=workshop)
    except InvalidInput as error:
        return [fault.message for fault in error.faults]
    raise AssertionError(f"{task} is not refused")


def test_what_the_page_says_is_refused_is_refused_in_these_words(workshop: Path) -> None:
    said = [row[1].strip("`") for row in rows_of("## What is refused")]
    assert said == [messages_of(workshop, task)[0] for task in REFUSED]


@pytest.mark.slow(20)
def test_the_study_ends_with_a_model_that_answers_as_the_page_says(workshop: Path) -> None:
    text = (workshop / "study.yaml").read_text()
    write(workshop / "short.yaml", text.replace("clip_seconds: 10", f"clip_seconds: {SECONDS}"))
    said = taskgraft_in(workshop, "run", "short.yaml", *ONE_CORE, "--json")
    assert said.code == 0, said.err
    bundle = Path(said.document["artifacts"])
    clip = workshop / "scenes" / "0.wav"
    (answers,) = taskgraft("predict", bundle, clip, "--json").document.values()
    labels = json.loads((bundle / "labels.json").read_text())
    for kind, _, _, keys in rows_of("## What a model answers"):
        (task,) = (name for name, found in labels.items() if found["kind"] == kind.strip("`"))
        inside = re.sub(r"\(.*?\)", "", keys)
        assert set(answers[task]) == set(re.findall(r"`(\w+)`", inside)), task
    lines = taskgraft("predict", bundle, clip).out.splitlines()
    assert [line.split(":")[0].strip() for line in lines[-5:]] == list(labels)
