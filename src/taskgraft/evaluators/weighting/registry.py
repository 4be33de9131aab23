"""The weightings by name. A new one is a class in a file of this folder and a line in `WEIGHTINGS`."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from taskgraft.evaluators.weighting import aggregators
from taskgraft.evaluators.weighting.dwa import DynamicWeightAverage
from taskgraft.evaluators.weighting.gradnorm import GradNorm
from taskgraft.evaluators.weighting.plain import Fixed, Mean, Sum
from taskgraft.evaluators.weighting.proportional import LossProportional
from taskgraft.evaluators.weighting.protocol import LossWeighting
from taskgraft.evaluators.weighting.uncertainty import Uncertainty, UncertaintyPositive

WEIGHTINGS: Mapping[str, type[LossWeighting]] = MappingProxyType(
    {
        "sum": Sum,
        "mean": Mean,
        "fixed": Fixed,
        "uncertainty": Uncertainty,
        "uncertainty-positive": UncertaintyPositive,
        "loss-proportional": LossProportional,
        "dwa": DynamicWeightAverage,
        "gradnorm": GradNorm,
        "pcgrad": aggregators.PCGrad,
        "mgda": aggregators.MGDA,
        "aligned-mtl": aggregators.AlignedMTL,
        "imtl-g": aggregators.IMTLG,
        "graddrop": aggregators.GradDrop,
        "upgrad": aggregators.UPGrad,
        "cagrad": aggregators.CAGrad,
        "nash-mtl": aggregators.NashMTL,
    }
)


def weighting_among(weighting: LossWeighting, tasks: Sequence[str]) -> LossWeighting:
    """Return the weighting that a model of some tasks is trained with: a task alone has nothing to be weighed against.

    So all weightings have the same baselines, bit for bit.
    """
    return Sum() if len(tasks) == 1 else weighting.for_tasks(tasks)


def owner_of(option: str) -> str | None:
    """Return the name of a weighting with an option; None if none has it."""
    return next((name for name, kind in WEIGHTINGS.items() if option in kind.options()), None)
