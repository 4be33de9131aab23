"""Aggregators: at each node of a tree, the gradients of its tasks' losses become one gradient.

The algorithms are those of TorchJD (extra ``aggregators``). Heads, and nodes of one task, get their own gradient.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from taskgraft.evaluators.weighting.protocol import LossWeighting, Setting, Weighting

if TYPE_CHECKING:  # whoever checks a study does without torch
    from taskgraft.evaluators.weighting.nodes import Aggregation


class Aggregator(LossWeighting):
    """An aggregator of TorchJD: the name of its class there, and whether it draws."""

    packages: ClassVar[tuple[str, ...]] = ("torchjd",)
    torchjd_name: ClassVar[str]
    draws: ClassVar[bool] = False

    def build(self, setting: Setting) -> Weighting:
        """Return what aggregates at every node."""
        from taskgraft.evaluators.weighting.nodes import NodeWeighting  # noqa: PLC0415  # torch is for trainings

        return NodeWeighting(setting, self.aggregation(setting))

    def aggregation(self, setting: Setting) -> "Aggregation":
        """Return how the gradients of a node become one; what it draws follows from the seed."""
        from taskgraft.evaluators.weighting.aggregations import Drawn, Stateless, torchjd_aggregator  # noqa: PLC0415

        made = torchjd_aggregator(self.torchjd_name, self.arguments)
        return Drawn(made, setting.seed) if self.draws else Stateless(made)

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What TorchJD's class is made with."""
        return self.model_dump(exclude={"name"})


class PCGrad(Aggregator):
    """A gradient that points against another one loses its part along it; the sum of what is left.

    The order of the others is drawn. Source: Yu et al., Gradient surgery for multi-task learning, 2020, algorithm 1.
    """

    name: Literal["pcgrad"] = "pcgrad"
    torchjd_name: ClassVar[str] = "PCGrad"
    draws: ClassVar[bool] = True


class MGDA(Aggregator):
    """The shortest vector among the weighed means of the gradients.

    Source: Desidéri, Multiple-gradient descent algorithm, 2012; Sener and Koltun, 2018, algorithm 2.
    """

    name: Literal["mgda"] = "mgda"
    torchjd_name: ClassVar[str] = "MGDA"


class AlignedMTL(Aggregator):
    """The mean of the gradients after their principal directions are scaled to one length.

    Source: Senushkin et al., Independent component alignment for multi-task learning, 2023, algorithm 1.
    """

    name: Literal["aligned-mtl"] = "aligned-mtl"
    torchjd_name: ClassVar[str] = "AlignedMTL"
    scale_mode: Literal["min", "median", "rmse"] = Field(default="min", description="the length, by the eigenvalues")


class IMTLG(Aggregator):
    """The combination, with weights that add up to 1, whose projections on all gradients are equally long.

    Source: Liu et al., Towards impartial multi-task learning, 2021.
    """

    name: Literal["imtl-g"] = "imtl-g"
    torchjd_name: ClassVar[str] = "IMTLG"


class GradDrop(Aggregator):
    """The sum of the gradients, of which each weight keeps those of one sign, which is drawn.

    Source: Chen et al., Just pick a sign, 2020, algorithm 1.
    """

    name: Literal["graddrop"] = "graddrop"
    torchjd_name: ClassVar[str] = "GradDrop"
    draws: ClassVar[bool] = True


class UPGrad(Aggregator):
    """The mean of the gradients, each projected to where no loss grows.

    Source: Quinton and Rey, Jacobian descent for multi-objective optimization, 2024.
    """

    name: Literal["upgrad"] = "upgrad"
    torchjd_name: ClassVar[str] = "UPGrad"
    packages: ClassVar[tuple[str, ...]] = ("torchjd", "qpsolvers", "quadprog")


class CAGrad(Aggregator):
    """The vector near the mean of the gradients that lowers the worst task's loss most.

    It is no further from the mean than ``c`` times its length; 0: the mean.
    Source: Liu et al., Conflict-averse gradient descent for multi-task learning, 2021, algorithm 1.
    """

    name: Literal["cagrad"] = "cagrad"
    torchjd_name: ClassVar[str] = "CAGrad"
    packages: ClassVar[tuple[str, ...]] = ("torchjd", "cvxpy", "clarabel")
    c: float = Field(default=0.5, ge=0, description="how far from the mean, as a share of its length")


class NashMTL(Aggregator):
    """The direction that the tasks agree on as in Nash's bargaining.

    Each step begins at the weights of the last one. TorchJD warns that the authors' own code, which it follows, has
    flaws. Source: Navon et al., Multi-task learning as a bargaining game, 2022, algorithm 1.
    """

    name: Literal["nash-mtl"] = "nash-mtl"
    torchjd_name: ClassVar[str] = "NashMTL"
    packages: ClassVar[tuple[str, ...]] = ("torchjd", "cvxpy", "ecos")
    max_norm: float = Field(default=1.0, ge=0, description="longest gradient of a node; 0: any length")

    def aggregation(self, setting: Setting) -> "Aggregation":
        """Return TorchJD's, with weights of its own for each node."""
        from taskgraft.evaluators.weighting.nash import Bargains  # noqa: PLC0415

        return Bargains(setting.model.tree, self.max_norm)
