"""The study files that are handed out are studies."""

from pathlib import Path

import yaml

from taskgraft.api.cli.demo import demo_study
from taskgraft.api.study_files import read_study
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.templates.registry import get_template
from tests.api.cli.commands import write
from tests.evaluators.datasets.corpora import write_lines, write_tone

EXAMPLES = Path(__file__).parents[3] / "examples"
SPLITS = ("train", "validation", "test")


def test_every_example_is_a_study() -> None:
    files = sorted(EXAMPLES.glob("*.yaml"))
    assert [file.name for file in files] == ["demo.yaml", "own-recordings.yaml"]
    for file in files:
        assert StudySpec.parse(read_study(file).to_plain()) == read_study(file)


def test_the_demo_posts_what_the_example_says() -> None:
    study = demo_study()
    assert study == read_study(EXAMPLES / "demo.yaml").to_plain()
    assert [task["name"] for task in study["tasks"]] == ["gender", "age", "command", "vad"]
    assert study["ar_threshold"] == 0.02


def test_the_example_for_own_recordings_names_every_default() -> None:
    said = yaml.safe_load((EXAMPLES / "own-recordings.yaml").read_text())
    spec = StudySpec.parse({key: said[key] for key in ("name", "ar_threshold", "tasks")})
    assert StudySpec.parse(said) == spec
    assert spec.depths == get_template("cnn8").default_depths
    assert set(said) == set(StudySpec.model_fields) - {"imported", "nuisance"}  # which nobody writes
    assert set(said["training"]) | {"algorithm", "loss_weighting"} == set(spec.to_plain()["training"])


def test_recordings_that_are_laid_out_as_the_example_says_fit_it(tmp_path: Path) -> None:
    study = write(tmp_path / "own-recordings.yaml", (EXAMPLES / "own-recordings.yaml").read_text())
    rows = [(f"{split}-{kind}.wav", split, kind) for split in SPLITS for kind in ("a", "b")]
    for folder in ("recordings", "street"):
        for name, _, _ in rows:
            write_tone(tmp_path / folder / name)
    write_lines(
        tmp_path / "recordings" / "manifest.csv",
        "path,split,group,speaker,cough",
        *(f"{name},{split},{split},{kind},{'yes' if kind == 'a' else 'no'}" for name, split, kind in rows),
    )
    write_lines(
        tmp_path / "recordings" / "segments.csv",
        "path,onset,offset,event",
        *(f"{name},0.02,0.08,speech" if kind == "a" else f"{name},,," for name, _, kind in rows),
    )
    write_lines(
        tmp_path / "street" / "manifest.csv",
        "path,split,scene",
        *(f"{name},{split},{kind}" for name, split, kind in rows),
    )
    prepared = prepare(read_study(study), data_dir=tmp_path / "nowhere", base=tmp_path)
    assert [task.name for task in prepared.tasks] == ["speaker", "cough", "vad", "scene"]
