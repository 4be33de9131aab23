"""When a training has gone on long enough without a lower loss on the validation split. Plain numbers."""

from collections.abc import Mapping, Sequence

from taskgraft.evaluators.optimisation.checkpoints import VALIDATION_LOSS


def is_out_of_patience(curve: Sequence[Mapping[str, float]], steps: int) -> bool:
    """Return whether ``steps`` steps or more were taken after the first point of a curve with its lowest loss.

    The points have the loss (`VALIDATION_LOSS`); a curve without a point has patience.
    """
    best = min(curve, key=lambda point: point[VALIDATION_LOSS], default=None)
    return best is not None and curve[-1]["step"] - best["step"] >= steps
