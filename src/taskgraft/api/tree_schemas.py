"""What the API shows of trees."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, Self

from pydantic import BaseModel, Field

from taskgraft.api.schemas import Fraction, UnknownView
from taskgraft.search.store.findings import TradeoffPoint
from taskgraft.space.branching import Reason


class NodeView(BaseModel):
    """A node: the half-open range of blocks that its tasks share, and what branches off behind them."""

    tasks: list[str]
    blocks: tuple[int, int]
    children: list["NodeView"]


class CauseView(BaseModel):
    """One reason why tasks do not share more."""

    reason: Reason
    tasks: list[str] = Field(description="trained together; for `chance`, the tasks at chance")
    depth: int = Field(description="how many blocks they shared in that training")
    ar: float | None = Field(description="of that training, on validation; null if there was none")
    at_most: bool = Field(description="ar is an upper bound")
    upper_end: float | None = Field(None, description="of its interval, if that decides (`decision: confident`)")


class BranchingView(BaseModel):
    """Tasks that share so many blocks and then part."""

    tasks: list[str]
    blocks: int
    parts: list[list[str]]
    because: list[CauseView]


class NeededView(BaseModel):
    """How many trainings answer what is unknown; `POST /v1/studies/{id}/trees` runs them."""

    at_least: int
    at_most: int
    to_verify: int = Field(description="further trainings that verify this tree, if it need not be repaired")


def _is_none(value: object) -> bool:
    return value is None


class TreeView(BaseModel):
    """The tree form."""

    schema_: Literal["taskgraft.tree/1"] = Field(alias="schema")
    template: str
    width: float | None = Field(None, description="of a narrower encoder", exclude_if=_is_none)
    front_end: str | None = Field(None, description="another one than the template's", exclude_if=_is_none)
    gate: dict[str, str] | None = Field(None, description="what lies before the heads", exclude_if=_is_none)
    ar_threshold: Fraction
    root: NodeView
    found_root: NodeView | None = Field(
        None,
        description="the tree that was found, if the model's is another one (compression: lt4rec)",
        exclude_if=_is_none,
    )
    encoder_parameters: int
    parameters: int | None
    independent_parameters: int | None
    branchings: list[BranchingView] = Field([], description="where tasks part, and what forced it")
    unknown: list[UnknownView] = Field(
        [], description="cells that were not asked about and could let a pair share more"
    )
    trainings_needed: NeededView | None = Field(None, description="trainings that would answer what is unknown")


class TradeoffPointView(BaseModel):
    """The tree of a study from a threshold on."""

    ar_threshold: Fraction = Field(description="Q: from here on, up to that of the next item")
    digest: str = Field(description="of the tree: equal trees have equal digests")
    encoder_parameters: int
    parameters: int | None = Field(description="heads included")


class TradeoffView(BaseModel):
    """Every threshold at which the tree changes; `GET /v1/studies/{id}/tree?ar_threshold=Q` returns the tree there."""

    items: list[TradeoffPointView] = Field(description="by threshold, in ascending order; the first one is 0")
    exact: bool = Field(
        description="whether the tree can't change between these thresholds. If trainings of the study stopped early "
        "or whole trees were judged, they are the figures of the reduction matrix, and the tree may change between them"
    )

    @classmethod
    def of(cls, points: Sequence[TradeoffPoint], *, exact: bool) -> Self:
        """Return what the API shows of the trees at every threshold: those that differ from the one before."""
        changes = [*points[:1], *(point for before, point in pairwise(points) if before.digest != point.digest)]
        items = [TradeoffPointView.model_validate(point, from_attributes=True) for point in changes]
        return cls(items=items, exact=exact)
