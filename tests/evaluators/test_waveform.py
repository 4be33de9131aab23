"""Raw samples: filters that the model learns in front of a template's first block."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from taskgraft.evaluators.datasets.audio import read_audio
from taskgraft.evaluators.datasets.fingerprint import fingerprint
from taskgraft.evaluators.datasets.manifest import read_corpus
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.features import build_pack, build_rows
from taskgraft.evaluators.models.blocks import SampleFilters, build_block
from taskgraft.evaluators.models.tree_model import TreeModel
from taskgraft.evaluators.optimisation.optimisation import Optimisation
from taskgraft.evaluators.prediction import load_bundle
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Schedule, Trainer
from taskgraft.space import filters
from taskgraft.space.cost import tree_cost
from taskgraft.space.front_ends import Waveform
from taskgraft.space.templates.registry import TEMPLATES, get_template
from taskgraft.space.tree import BranchTree
from tests.evaluators.exported import Exported, export_tones
from tests.evaluators.test_training import SHORT, digest, train
from tests.evaluators.tones import load_tones

TEMPLATE = get_template("cnn8", front_end="waveform")
SPEC = Waveform()


@pytest.fixture(scope="module")
def data(tones: Path, tmp_path_factory: pytest.TempPathFactory) -> StudyData:
    """Two tasks on raw samples, in crops shorter than some clips."""
    tasks = [("pitch", "tones", "pitch"), ("tone", "tones", "tone")]
    return load_tones({"tones": tones}, tasks, tmp_path_factory.mktemp("samples"), 0.4, TEMPLATE)


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_tones(tmp_path_factory.mktemp("sampled"), TEMPLATE, schedule=Schedule(6, 8, Optimisation(3e-3)))


@pytest.mark.parametrize("name", ["cnn8", "crnn", "cp-mobile", "cnn-bilstm", "transformer-s", "resnet-deep"])
def test_the_first_block_has_what_the_filters_add(name: str) -> None:
    """On torch's device without numbers, which counts operations."""
    template = get_template(name, front_end="waveform")
    frames = 3 * template.time_stride
    spec, before, behind = template.blocks[0], *template.shapes(frames)[:2]
    assert before == (1, 160, frames)
    with torch.device("meta"):
        block, samples = build_block(spec), torch.randn(2, *before)
        with FlopCounterMode(display=False) as counter:
            outputs = block(samples)
    assert outputs.shape == (2, *behind)
    assert sum(weight.numel() for weight in block.parameters()) == spec.parameters
    assert counter.get_total_flops() == 2 * 2 * spec.macs(before), "two clips, a product and a sum each"
    # 64 filters of 400 samples, a scale and a shift each; template behind them as on 64 bands
    alone = TEMPLATES[name]
    assert spec.parameters - alone.blocks[0].parameters == 400 * 64 + 2 * 64
    assert spec.macs(before) - alone.blocks[0].macs((1, 64, frames)) == frames * 400 * 64


def test_windows_overlap_and_are_centred_on_the_frames_as_those_of_log_mel() -> None:
    spec = filters.SampleFilters(hop=160, window=400, filters=3)
    module = SampleFilters(spec)
    samples = np.random.default_rng(0).normal(0, 1, 160 * 7)
    rows = torch.from_numpy(samples.astype(np.float32)).reshape(1, 1, 7, 160).transpose(2, 3)
    weights = module.filter.weight.detach().numpy()[:, 0]
    around = np.concatenate([np.zeros(200), samples, np.zeros(200)])
    expected = np.stack([weights @ around[160 * frame :][:400] for frame in range(7)], axis=1)
    found = module(rows)
    assert found.shape == (1, *spec.output_shape((1, 160, 7)))
    np.testing.assert_allclose(found[0, :, 0].detach().numpy(), expected, atol=1e-5)


def test_filters_start_as_waves_of_pitches_spread_over_the_mel_scale() -> None:
    weights = SampleFilters(filters.SampleFilters(160, 400, 64)).filter.weight[:, 0].detach()
    spectra = torch.fft.rfft(weights, 16_000).abs()  # one number for each hertz
    loudest = spectra.argmax(1)
    mels = 2_595 * torch.log10(1 + loudest / 700)
    wanted = 2_840.023 / 65 * torch.arange(1, 65)
    torch.testing.assert_close(mels[3:], wanted[3:], atol=6.0, rtol=0)  # those below have one wave in a window
    torch.testing.assert_close(weights.norm(dim=1), torch.full((64,), 3**-0.5))
    again = SampleFilters(filters.SampleFilters(160, 400, 64)).filter.weight[:, 0].detach()
    assert not torch.allclose(weights, again), "phases are drawn"


@pytest.mark.parametrize("samples", [1, 119, 120, 121, 160, 1_000])
def test_the_last_frame_is_the_last_whose_window_touches_the_clip(samples: int) -> None:
    frames, impulse = SPEC.frames(samples), torch.zeros(1, samples)
    impulse[0, -1] = 1.0
    module = SampleFilters(filters.SampleFilters(160, 400, 1))
    torch.nn.init.ones_(module.filter.weight)
    answers = module(build_rows(SPEC, frames + 2)(impulse)[:, None])[0, 0, 0]
    assert torch.nonzero(answers).flatten()[-1] == frames - 1


def test_packs_hold_the_samples_and_silence_is_zero(tones: Path, tmp_path: Path) -> None:
    corpus = read_corpus(tones)
    pack = build_pack(corpus, fingerprint(corpus), SPEC, tmp_path)
    assert pack.frames().shape[1] == 160
    assert not pack.frames()[0].any()
    for clip in (0, 7):
        own = pack.frames()[pack.starts[clip] :][: pack.lengths[clip]].ravel()
        sound = read_audio(corpus.audio(clip), 16_000)
        assert pack.lengths[clip] == SPEC.frames(len(sound))
        np.testing.assert_allclose(own[: len(sound)], sound, rtol=1e-3, atol=1e-6)
        assert not own[len(sound) :].any()


def test_samples_that_half_precision_cannot_hold_are_cut() -> None:
    rows = build_rows(SPEC)(torch.tensor([[1e6, -1e6, 0.5]])).half()
    assert rows.isfinite().all()
    assert rows[0, 2, 0] == 0.5


def test_samples_are_scaled_as_one_and_silence_stays_zero(data: StudyData) -> None:
    pack, clips = data.packs["tones"], data.tasks["pitch"].clips[Split.TRAIN]
    rows = np.concatenate([pack.frames()[pack.starts[clip] :][: pack.lengths[clip]] for clip in clips])
    scaled = data.input_module()(torch.from_numpy(rows.astype(np.float32)).T[None, None])
    assert scaled.square().mean().item() == pytest.approx(1.0, rel=1e-3)
    assert not data.input_module()(torch.zeros(1, 1, 160, 4)).any()


@pytest.mark.parametrize(("shared", "sets"), [(8, 1), (1, 1), (0, 2)])
def test_tasks_that_share_the_first_block_share_its_filters(data: StudyData, shared: int, sets: int) -> None:
    tree = BranchTree.flat(["pitch", "tone"], shared, 8)
    tasks = [data.tasks[name].task for name in tree.tasks]
    model = TreeModel(tree, TEMPLATE, tasks)
    assert sum(isinstance(module, SampleFilters) for module in model.modules()) == sets
    assert sum(weight.numel() for weight in model.parameters()) == tree_cost(tree, TEMPLATE, tasks).parameters
    plain = tree_cost(tree, TEMPLATES["cnn8"], tasks)
    cost = tree_cost(tree, TEMPLATE, tasks)
    assert (cost.parameters or 0) - (plain.parameters or 0) == sets * (25_600 + 128)
    assert (cost.macs_per_second or 0) - (plain.macs_per_second or 0) == sets * 2_560_000


def test_filters_are_trained_and_a_training_goes_on_bit_for_bit(data: StudyData) -> None:
    tree, schedule = BranchTree.flat(["pitch", "tone"], 6, 8), replace(SHORT, noise=(0.0, 20.0), shift=0.1, mixup=0.2)
    cut, resumed = (Trainer(tree, data, schedule, seed=0) for _ in range(2))
    before = {name: weight.clone() for name, weight in cut.model.named_parameters()}
    cut.advance()
    assert not [name for name, weight in cut.model.named_parameters() if torch.equal(weight, before[name])]
    resumed.go_on_from(cut.pack_state("stamp"), "stamp")
    while not resumed.finished:
        resumed.advance()
    assert digest(resumed.measurement("here")) == digest(train(tree, data, schedule))


def test_a_bundle_answers_as_the_trained_model_did(sampled: Exported) -> None:
    """Of clips of one to three windows; samples have half precision there, and single precision here."""
    bundle, found = load_bundle(sampled.folder), evaluate(sampled.model, sampled.data, Split.VALIDATION)
    labels = sampled.data.tasks["pitch"].labels
    pitch = found["pitch"].classes
    predicted = {clip: bundle.predict(sampled.clip(clip))["pitch"]["label"] for clip in pitch.clips.tolist()}
    assert predicted == {
        clip: labels[int(said)] for clip, said in zip(pitch.clips.tolist(), pitch.predicted.tolist(), strict=True)
    }
    tone = found["waveform"].classes
    for clip in pitch.clips.tolist():
        of_clip = tone.clips == clip
        said = tone.counts[of_clip & (tone.predicted == 1)].sum() / tone.counts[of_clip].sum()
        assert bundle.predict(sampled.clip(clip))["waveform"]["share"] == pytest.approx(said, abs=0.1)


def test_a_bundle_says_what_it_holds(sampled: Exported) -> None:
    card = (sampled.folder / "README.md").read_text()
    parameters = sum(weight.numel() for weight in sampled.model.parameters())
    assert f"{parameters:,} parameters" in card
    assert "Learned filters and normalisation are inside the model" in card
    preprocessing = load_bundle(sampled.folder).preprocessing
    assert preprocessing.front_end == SPEC
    assert preprocessing.normalisation.mean == (0.0,)
    parity = json.loads((sampled.folder / "metrics.json").read_text())["parity"]
    assert set(parity["max_abs_difference"]) == {"model.pt2", "model.onnx"}
    assert all(0 <= difference < 1e-5 for difference in parity["max_abs_difference"].values())
