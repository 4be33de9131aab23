"""Studies of users' own encoders, once these were measured."""

from pathlib import Path
from typing import Any

import pytest

from taskgraft.errors import InvalidInput
from taskgraft.search.study.preparation import prepare
from taskgraft.search.study.spec import StudySpec
from taskgraft.space.imported import MAX_BLOCKS, BlockSize, ImportedEncoder
from taskgraft.space.tasks import TaskKind

HALVES = BlockSize((1, 64, 100), (4, 32, 50), 44, 57_600, stride=2, offset=1)
KEEPS = BlockSize((4, 32, 50), (4, 32, 50), 0, 0)
SHORTER = BlockSize((4, 32, 50), (4, 32, 48), 0, 0, offset=-2)
ENDS = BlockSize((4, 32, 50), (4, 1, 1), 0, 0, is_fixed=True)


def encoder(*sizes: BlockSize, front_end: str = "default") -> ImportedEncoder:
    return ImportedEncoder("mine:make", front_end, "d", "w", sizes)


def study(own: ImportedEncoder | None, **changes: Any) -> StudySpec:
    kind = changes.pop("kind", "clip")
    task = {"name": "a", "dataset": "zoo", "target": "animal", "kind": kind}
    return StudySpec.parse({"ar_threshold": 0.1, "tasks": [task], "template": "mine:make", "imported": own, **changes})


def test_a_study_keeps_what_was_measured_as_plain_data() -> None:
    spec = study(encoder(HALVES, KEEPS, KEEPS))
    assert spec.depths == (1, 2, 3)
    assert spec.encoder.name == "mine:make"
    assert spec.encoder.shapes(101)[-1] == (4, 32, 51)
    assert spec.encoder.macs_per_second == 57_600
    assert StudySpec.parse(spec.to_plain()) == spec
    assert spec.at_threshold(0.2).imported == spec.imported


def test_a_study_of_another_template_does_not_mention_it() -> None:
    assert "imported" not in study(None, template="cnn8").to_plain()


@pytest.mark.parametrize(
    ("own", "changes", "where", "words"),
    [
        (None, {}, "template", "a service imports nothing that a study names"),
        (encoder(HALVES), {"template": "other:make"}, "template", "is not about this template"),
        (encoder(HALVES), {"template": "cnn8"}, "template", "is not about this template"),
        (encoder(HALVES), {"width": 0.5}, "width", "as wide as it is"),
        (encoder(HALVES), {"front_end": "scene"}, "front_end", "was measured behind 'default'"),
        (encoder(HALVES), {"depths": [2]}, "depths", "mine:make has 1 blocks"),
        (encoder(HALVES, ENDS), {"kind": "frames"}, "template", "no time axis behind its blocks"),
        (encoder(HALVES, SHORTER), {"kind": "frames"}, "template", "48 steps for 100 frames and not 50"),
    ],
)
def test_what_does_not_fit_is_refused(
    own: ImportedEncoder | None, changes: dict[str, Any], where: str, words: str
) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        study(own, **changes)
    assert [fault.where for fault in refused.value.faults] == [where]


def test_only_parse_takes_what_was_measured() -> None:
    """What a request says is validated without a context."""
    with pytest.raises(ValueError, match="imports nothing"):
        StudySpec.model_validate(study(encoder(HALVES)).to_plain())


def test_a_runner_of_a_service_does_not_start_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="imports nothing that a study names; got 'mine:make'"):
        prepare(study(encoder(HALVES)), data_dir=tmp_path)


def test_steps_line_up_or_the_reason_is_said() -> None:
    assert encoder(HALVES, KEEPS).why_no_steps == ""
    assert set(study(encoder(HALVES, KEEPS)).encoder.kinds) == set(TaskKind)
    assert encoder(HALVES, ENDS).why_no_steps == "there is no time axis behind its blocks"


def test_blocks_of_other_lengths_are_weighed_by_their_frames() -> None:
    (block,) = encoder(HALVES).blocks
    assert block.macs((1, 64, 200)) == 2 * 57_600
    with pytest.raises(InvalidInput, match=r"block 0 of mine:make was measured with \(1, 64, 100\)"):
        block.output_shape((1, 40, 100))
    with pytest.raises(InvalidInput, match="takes more frames than 2"):
        encoder(SHORTER).blocks[0].output_shape((4, 32, 2))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"place": "mine"}, "has the form module:name; got 'mine'"),
        ({"front_end": "nose"}, "no front end 'nose'"),
        ({"sizes": ()}, "1 to 64 blocks; mine:make has 0"),
        ({"sizes": (KEEPS,) * (MAX_BLOCKS + 1)}, "has 65"),
    ],
)
def test_an_illegal_encoder_cannot_be_made(changes: dict[str, Any], words: str) -> None:
    values: dict[str, Any] = {"place": "mine:make", "front_end": "default", "digest": "d", "weights": "w"}
    with pytest.raises(InvalidInput, match=words):
        ImportedEncoder(**({"sizes": (HALVES,)} | values | changes))


@pytest.mark.parametrize("changes", [{"stride": 0}, {"parameters": -1}, {"macs": -1}, {"gives": (0, 1, 1)}])
def test_an_illegal_size_cannot_be_made(changes: dict[str, Any]) -> None:
    values: dict[str, Any] = {"takes": (1, 64, 100), "gives": (4, 32, 50), "parameters": 1, "macs": 1}
    with pytest.raises(InvalidInput, match="what was measured of a block"):
        BlockSize(**(values | changes))
