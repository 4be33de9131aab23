"""Comparisons: what one asks for, and what it takes from the study that is compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from taskgraft.search.study.fields import AUTO, NuisanceLabel
from taskgraft.search.study.preparation import tasks_from_facts, to_facts
from taskgraft.search.study.spec import BudgetSpec, Strategy, StudySpec
from taskgraft.space.matrix import Pair
from taskgraft.space.tasks import MAX_NAME, Task
from taskgraft.space.tree import BranchTree

MAX_SEEDS = 20
_SUFFIX = "-comparison"


@dataclass(frozen=True, slots=True)
class SearchEffort:
    """What the search for a study's tree took: trainings, and the seconds of all of them on one core each.

    ``known`` are keys of trainings, of the delivered tree and of baselines, that a comparison need not count again.
    """

    trainings: int = 0
    seconds: float = 0.0
    known: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: these systems, each trained with so many seeds, against a study's tree.

    ``tree`` is the tree that the study delivers, None while it is not known; ``weights`` are how deep each pair may
    share at the study's threshold. ``groups`` is how many networks a row of groups may have at most, as the size of the
    tree (or ``group_budget``, in parameters) allows. ``tasks`` are those of the study, from which sizes follow.
    ``nuisance`` is the label that the row `adversarial` trains against, if the user has chosen one.
    """

    systems: tuple[str, ...]
    seeds: int = 1
    group_budget: int | None = None
    groups: int | None = None
    tree: BranchTree | None = None
    weights: Mapping[Pair, int] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    effort: SearchEffort = SearchEffort()
    tasks: tuple[Task, ...] = ()
    nuisance: NuisanceLabel | None = None

    @property
    def request(self) -> tuple[tuple[str, ...], int, int | None, NuisanceLabel | None]:
        """What the user asked for; everything else follows from the study."""
        return self.systems, self.seeds, self.group_budget, self.nuisance

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "systems": list(self.systems),
            "seeds": self.seeds,
            "group_budget": self.group_budget,
            "groups": self.groups,
            "tree": None if self.tree is None else [self.tree.to_json(), self.tree.depth],
            "weights": [[*pair, depth] for pair, depth in self.weights.items()],
            "effort": {
                "trainings": self.effort.trainings,
                "seconds": self.effort.seconds,
                "known": sorted(self.effort.known),
            },
            "tasks": to_facts(self.tasks),
            "nuisance": None if self.nuisance is None else list(self.nuisance),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote; comparisons from before there was a nuisance have none."""
        effort, nuisance = value["effort"], value.get("nuisance")
        return cls(
            systems=tuple(value["systems"]),
            seeds=value["seeds"],
            group_budget=value["group_budget"],
            groups=value["groups"],
            tree=None if value["tree"] is None else BranchTree.from_json(*value["tree"]),
            weights=MappingProxyType({(first, second): depth for first, second, depth in value["weights"]}),
            effort=SearchEffort(effort["trainings"], effort["seconds"], frozenset(effort["known"])),
            tasks=tasks_from_facts(value) or (),
            nuisance=None if nuisance is None else (nuisance[0], nuisance[1]),
        )


def comparison_spec(
    spec: StudySpec, epochs: int | None = None, device: str | None = None, nuisance: NuisanceLabel | None = None
) -> StudySpec:
    """Return the study that a comparison is: data, steps and first seed of ``spec``, whose every training is whole.

    ``epochs`` are what ``spec`` chose, if it leaves its training length open, and ``device`` is what it trained on.
    ``nuisance`` is a label that the comparison trains against. There is no budget of a search.
    """
    training = spec.training.lasting(epochs) if epochs and spec.training.epochs == AUTO else spec.training
    training = training.model_copy(update={"device": device or training.device})
    changed = {
        "name": f"{spec.name.removesuffix(_SUFFIX)[: MAX_NAME - len(_SUFFIX)]}{_SUFFIX}",
        "strategy": Strategy.EXHAUSTIVE,
        "budget": BudgetSpec(),
        "confirm": 0,
        "compression": (),
        "training": training,
        "nuisance": nuisance,
    }
    return spec.model_copy(update=changed)
