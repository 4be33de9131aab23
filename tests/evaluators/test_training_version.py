"""`TRAINING_VERSION` goes with the sources that decide the result of a training.

A change of those sources makes this test fail. Then ask: can the result of any training differ by a single bit? If so,
raise `TRAINING_VERSION`. In either case put the digest that the failure shows into `PINNED`.
"""

import ast
import hashlib
from pathlib import Path

from taskgraft import evaluators
from taskgraft.evaluators.training import TRAINING_VERSION

PINNED = (2, "de8be0dd2bd36ae8adc53351e1bcc64ce15409e00cf9bd20ec115df9b7a5c213")
SOURCES: dict[str, tuple[str, ...]] = {
    "evaluators/affinities.py": (),
    "evaluators/algorithms/adversarial.py": (),
    "evaluators/algorithms/algorithm.py": (),
    "evaluators/algorithms/baselines.py": (),
    "evaluators/algorithms/cross.py": (),
    "evaluators/algorithms/distil.py": (),
    "evaluators/algorithms/freeze.py": (),
    "evaluators/algorithms/hard.py": (),
    "evaluators/algorithms/learner.py": (),
    "evaluators/algorithms/mean_teacher.py": (),
    "evaluators/algorithms/penalties.py": (),
    "evaluators/algorithms/phased.py": (),
    "evaluators/algorithms/registry.py": (),
    "evaluators/algorithms/reversed_head.py": (),
    "evaluators/algorithms/serial.py": (),
    "evaluators/algorithms/soft.py": (),
    "evaluators/algorithms/soft_sharing.py": (),
    "evaluators/algorithms/statistics.py": (),
    "evaluators/algorithms/steps.py": (),
    "evaluators/algorithms/task_attention.py": (),
    "evaluators/algorithms/teacher.py": (),
    "evaluators/augmentation.py": (),
    "evaluators/batches.py": (),
    "evaluators/checkpoint_tensors.py": (),
    "evaluators/compression/channel_masks.py": (),
    "evaluators/compression/channels.py": (),
    "evaluators/compression/columns.py": (),
    "evaluators/compression/kernel_masks.py": (),
    "evaluators/compression/masks.py": (),
    "evaluators/compression/restraint.py": (),
    "evaluators/compression/starts.py": (),
    "evaluators/course.py": (),
    "evaluators/datasets/audio.py": (),
    "evaluators/evaluation.py": (),
    "evaluators/features.py": (),
    "evaluators/grafting.py": (),
    "evaluators/imported/making.py": (),
    "evaluators/inputs.py": (),
    "evaluators/event_matching.py": (),
    "evaluators/kinds/clip.py": (),
    "evaluators/kinds/event_targets.py": (),
    "evaluators/kinds/events.py": (),
    "evaluators/kinds/frames.py": (),
    "evaluators/kinds/nuisance.py": (),
    "evaluators/kinds/rows.py": (),
    "evaluators/kinds/tags.py": (),
    "evaluators/kinds/value.py": (),
    "evaluators/kinds/weights.py": (),
    "evaluators/kinds/yes_or_no.py": (),
    "evaluators/lookahead.py": (),
    "evaluators/losses.py": (),
    "evaluators/metrics/class_counts.py": (),
    "evaluators/metrics/detection.py": (),
    "evaluators/metrics/measuring.py": (),
    "evaluators/metrics/metric.py": (),
    "evaluators/metrics/ranking.py": (),
    "evaluators/metrics/reductions.py": (),
    "evaluators/metrics/registry.py": (),
    "evaluators/metrics/values.py": (),
    "evaluators/models/blocks.py": (),
    "evaluators/models/gates.py": (),
    "evaluators/models/heads.py": (),
    "evaluators/models/tree_model.py": (),
    "evaluators/outcomes.py": (),
    "evaluators/noise.py": (),
    "evaluators/optimisation/building.py": (),
    "evaluators/optimisation/checkpoints.py": (),
    "evaluators/optimisation/class_weights.py": (),
    "evaluators/optimisation/eager.py": (),
    "evaluators/optimisation/optimisation.py": (),
    "evaluators/optimisation/optimisers.py": (),
    "evaluators/optimisation/patience.py": (),
    "evaluators/optimisation/rates.py": (),
    "evaluators/open_training.py": (),
    "evaluators/pools.py": (),
    "evaluators/precision.py": (),
    "evaluators/schedule.py": (),
    "evaluators/study_data.py": (),
    "evaluators/threads.py": (),
    "evaluators/training.py": (),
    "evaluators/training_state.py": (),
    "evaluators/training_tensors.py": (),
    "evaluators/trunk.py": (),
    "evaluators/weighting/aggregations.py": (),
    "evaluators/weighting/aggregators.py": (),
    "evaluators/weighting/dwa.py": (),
    "evaluators/weighting/factors.py": (),
    "evaluators/weighting/gradnorm.py": (),
    "evaluators/weighting/nash.py": (),
    "evaluators/weighting/nodes.py": (),
    "evaluators/weighting/norms.py": (),
    "evaluators/weighting/plain.py": (),
    "evaluators/weighting/proportional.py": (),
    "evaluators/weighting/registry.py": (),
    "evaluators/weighting/scalar.py": (),
    "evaluators/weighting/uncertainty.py": (),
    "evaluators/weighting/weights.py": (),
    "evaluators/windows.py": (),
}
"""Files below the package, and which of their definitions count; all of them if none is named."""


class _WithoutWords(ast.NodeTransformer):
    """Takes away docstrings and messages: what people read changes no result."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        is_text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return ast.Pass() if is_text else node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return ast.Constant("")


def code_of(source: str, names: tuple[str, ...] = ()) -> str:
    """The code of a module, without words and the layout, of the definitions that are named."""
    module = _WithoutWords().visit(ast.parse(source))
    kept = [one for one in module.body if not names or _names(one) & set(names)]
    if missing := set(names) - {name for one in kept for name in _names(one)}:
        raise AssertionError(f"these are not defined any more: {sorted(missing)}")
    return "\n".join(ast.unparse(one) for one in kept if not isinstance(one, ast.Pass))


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else ()
    return {target.id for target in targets if isinstance(target, ast.Name)}


def digest() -> str:
    package, total = Path(evaluators.__path__[0]).parent, hashlib.sha256()
    for name, definitions in sorted(SOURCES.items()):
        code = code_of((package / name).read_text("utf-8"), definitions)
        if name == "evaluators/training.py":
            code = code.replace(f"TRAINING_VERSION = {TRAINING_VERSION}", "")
        total.update(f"{name}\n{code}\n".encode())
    return total.hexdigest()


def test_the_version_goes_with_the_sources() -> None:
    assert (TRAINING_VERSION, digest()) == PINNED, (
        "sources that decide the result of a training have changed: raise TRAINING_VERSION if any result can differ by "
        "a single bit, so that no result of the old code is taken over; then pin what is found here"
    )


def test_words_and_layout_do_not_count_and_code_does() -> None:
    source = 'def f(x):\n    """Say."""\n    raise ValueError(f"no {x}")\n\nA = "nearest"\n'
    same = 'def f( x ):  # why\n    """Say more."""\n    raise ValueError(f"never {x}, ever")\nA = "nearest"\n'
    assert code_of(source) == code_of(same)
    assert code_of(source) != code_of(source.replace("nearest", "linear"))
    assert code_of(source, ("f",)) == code_of(source.replace("nearest", "linear"), ("f",))
