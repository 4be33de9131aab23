"""What is measured of users' own encoders, and which of them are refused."""

import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.imported.code import look_in
from taskgraft.evaluators.imported.making import make_encoder
from taskgraft.evaluators.imported.measuring import measure_encoder
from taskgraft.evaluators.models.blocks import build_block
from taskgraft.space.heads import AttentionHead, GruHead, MeanHead
from taskgraft.space.imported import ImportedEncoder, read_imported
from taskgraft.space.tasks import Answer
from taskgraft.space.templates.imported import imported_template

HERE = "tests.evaluators.imported.encoders"
GOOD = ("make", "ENCODER", "gru", "lstm", "attention", "weighed", "without_time", "unpadded", "Named", "addressed")


def place(name: str) -> str:
    return f"{HERE}:{name}"


@cache
def measured(name: str) -> ImportedEncoder:
    return measure_encoder(place(name))


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("frames", [100, 101, 137, 400])
def test_blocks_are_as_they_were_measured(name: str, frames: int) -> None:
    """On recordings of other lengths, too."""
    template = imported_template(measured(name))
    shapes = template.shapes(frames)
    clips = torch.randn(2, *shapes[0])
    for spec, behind in zip(template.blocks, shapes[1:], strict=True):
        block = build_block(spec).eval()
        clips = block(clips)
        assert clips.shape == (2, *behind)
        assert sum(one.numel() for one in block.parameters()) == spec.parameters


@pytest.mark.parametrize("name", ["make", "gru", "lstm", "without_time"])
def test_multiply_accumulates_are_those_of_a_second(name: str) -> None:
    template = imported_template(measured(name))
    with FlopCounterMode(display=False) as counter, torch.device("meta"):
        make_encoder(place(name)).to("meta").eval()(torch.empty(1, 1, 64, 100))
    assert 2 * template.macs_per_second == counter.get_total_flops()
    assert template.remarks == ()


def test_figures_by_hand() -> None:
    encoder = measured("make")
    first, _, relu, last = encoder.sizes
    assert (first.takes, first.gives) == ((1, 64, 100), (4, 32, 50))
    assert (first.parameters, first.macs) == (9 * 4 + 2 * 4, 32 * 50 * 9 * 4)
    assert (relu.parameters, relu.macs, relu.stride) == (0, 0, 1)
    assert (last.gives, last.parameters, last.macs) == ((6, 8, 25), 9 * 4 * 6 + 12, 8 * 25 * 9 * 4 * 6)
    template = imported_template(encoder)
    assert (template.depth, template.time_stride, template.encoder_parameters) == (4, 4, 44 + 152 + 228)
    assert template.heads == {Answer.CLIP: AttentionHead(32), Answer.STEPS: GruHead(28)}


def test_attention_is_counted_and_tables_that_nothing_multiplies_are_named() -> None:
    steps, width = 50, 8
    (_, attention) = measured("attention").sizes
    assert attention.macs == steps * 4 * width**2 + 2 * steps**2 * width
    assert measured("attention").remarks == ()
    assert measured("weighed").remarks == (f"multiply-accumulates of {place('weighed')} leave out block 1 (Weighed)",)


def test_an_encoder_without_a_time_axis_has_a_linear_head_for_clips_alone() -> None:
    encoder = measured("without_time")
    assert [size.is_fixed for size in encoder.sizes] == [False] * 4 + [True] * 3
    assert [size.is_flat for size in encoder.sizes] == [False] * 6 + [True]
    template = imported_template(encoder)
    assert template.heads == {Answer.CLIP: MeanHead()}
    assert template.shapes(300)[-1] == (5, 1, 1)
    assert encoder.why_no_steps == "there is no time axis behind its blocks"


def test_steps_that_do_not_line_up_with_frames_answer_no_frames_tasks() -> None:
    encoder = measured("unpadded")
    assert set(imported_template(encoder).heads) == {Answer.CLIP}
    assert encoder.why_no_steps == "it gives 98 steps for 100 frames and not 100: pad its blocks along time"


def test_another_front_end_is_measured_with_its_own_shape() -> None:
    encoder = measure_encoder(place("make"), "emotion-image")
    assert encoder.sizes[0].takes == (1, 224, 224)
    template = imported_template(encoder)
    assert (template.front_end.crop, template.shapes(512)[-1]) == (512, (6, 28, 56))
    assert set(template.heads) == {Answer.CLIP}
    assert measure_encoder(place("make"), "mfcc").sizes[0].takes == (1, 40, 100)
    with pytest.raises(InvalidInput, match="no front end 'nose'; there is default"):
        measure_encoder(place("make"), "nose")


def test_what_was_measured_is_read_back_from_plain_data() -> None:
    encoder = measured("without_time")
    assert read_imported(encoder.to_plain()) == encoder


REFUSED = {
    "nowhere:make": r"nowhere can't be imported: ModuleNotFoundError: No module named 'nowhere'",
    f"{HERE}:absent": f"{HERE} has no absent",
    "__main__:make": "put it into a module of its own",
    "no place": "has the form module:name; got 'no place'",
    place("raising"): r"encoders:raising can't be made: RuntimeError: no weights anywhere",
    place("leaving"): r"encoders:leaving can't be made: SystemExit: 3",
    place("needing"): r"encoders:needing can't be made: TypeError: .*missing 1 required positional argument",
    place("no_sequential"): "nn.Sequential, or a callable without arguments .* it returned Conv2d",
    place("NUMBER"): "nn.Sequential, or a callable without arguments .* it is 3",
    place("empty"): "1 to 64 children, each one block; got 0",
    place("many"): "1 to 64 children, each one block; got 65",
    place("misfit"): r"block 1 of .*misfit \(Conv2d\(5, 4, .*\)\) can't take \[n, 4, 32, 50\]: RuntimeError",
    place("flattened"): r"block 2 of .*flattened \(Linear\(in_features=6400, .*\)\) can't take \[n, 6528\]",
    place("tied"): r"3.weight and 1.weight are the same weights.*3.bias and 1.bias",
    place("doubles"): "weights are float32; 0.weight is float64",
    place("frozen"): r"0.weight is not trained \(requires_grad is False\)",
    place("lazy"): "0.weight has no shape yet",
    place("WEIGHED"): r"1 \(Weighed\) has weights that can't be drawn anew .*reset_parameters",
    place("in_place"): r"block 1 of .* \(Doing\(\)\) changes its input in place",
    place("a_tuple"): r"one tensor .*block 1 of .* gives tuple",
    place("steps"): r"one tensor .*gives \[n, 256, 100\] of float32 for 2 clips",
    place("whole_numbers"): r"one tensor .*gives \[n, 1, 64, 100\] of int64",
    place("masked"): r"buffers are float32, int64 or uint8; 0\.mask is bool",
    place("one_clip"): r"one tensor .*gives \[n, 4, 64, 100\] of float32 for 2 clips",
    place("nothing"): r"block 1 of .* gives nothing: \[n, 0, 64, 100\]",
    place("turned"): r"block 1 of .* gives other channels or bands for more frames: \(4, 100\) and \(4, 101\)",
    place("unsteady"): r"block 1 of .* gives no steady number of frames",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_encoder_is_refused_with_the_reason(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidInput, match=REFUSED[name]) as refused:
        measure_encoder(name)
    assert {fault.where for fault in refused.value.faults} == {"template"}
    assert capsys.readouterr().out == "", "standard output is for results"


def test_a_module_that_raises_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "broken_encoders.py").write_text("1 / 0\n")
    look_in([tmp_path])
    with pytest.raises(InvalidInput, match="broken_encoders can't be imported: ZeroDivisionError"):
        measure_encoder("broken_encoders:make")


SOURCE = """
from torch import nn

WIDTH = 4


def make():
    return nn.Sequential(nn.Conv2d(1, 4, 3, 1, 1), nn.ReLU())
"""


def test_digests_change_with_structure_source_and_numbers_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def digests(name: str, source: str) -> tuple[str, str]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(source)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "path", [*sys.path, str(tmp_path / name)])
            encoder = measure_encoder("mine:make")
            del sys.modules["mine"]
        return encoder.digest, encoder.weights

    digest, weights = digests("as it is", SOURCE)
    assert digests("elsewhere", SOURCE) == (digest, weights)
    other_source = digests("another source", SOURCE.replace("WIDTH = 4", "WIDTH = 5"))
    assert other_source[0] != digest
    assert other_source[1] == weights
    strided = digests("another stride", SOURCE.replace("3, 1, 1)", "3, 2, 1)"))
    assert strided[0] != digest
    assert strided[1] == weights
    assert digests("no bias", SOURCE.replace("3, 1, 1)", "3, 1, 1, bias=False)"))[1] != weights


def test_where_things_lie_in_memory_does_not_count() -> None:
    assert " at 0x" in repr(make_encoder(place("addressed")))
    assert measure_encoder(place("addressed")) == measure_encoder(place("addressed"))


def test_measuring_leaves_the_random_state_and_the_encoder_as_they_are() -> None:
    from tests.evaluators.imported import encoders

    before = {name: tensor.clone() for name, tensor in encoders.ENCODER.state_dict().items()}
    state = torch.get_rng_state()
    for name in ("ENCODER", "seeding_itself"):
        measure_encoder(place(name))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoders.ENCODER.state_dict().items())
    assert isinstance(encoders.ENCODER[2], nn.ReLU)
    assert encoders.ENCODER[2].inplace
