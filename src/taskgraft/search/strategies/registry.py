"""The registry: which object does what a user's word for a strategy asks for."""

from collections.abc import Mapping
from types import MappingProxyType

from taskgraft.search.strategies.adaptive import ADAPTIVE
from taskgraft.search.strategies.bisection import BISECTION
from taskgraft.search.strategies.exhaustive import EXHAUSTIVE
from taskgraft.search.strategies.groups import GROUPS
from taskgraft.search.strategies.protocol import SearchStrategy
from taskgraft.search.strategies.trees import TREES
from taskgraft.search.study.spec import Strategy, StudySpec

STRATEGIES: Mapping[Strategy, SearchStrategy] = MappingProxyType(
    {
        Strategy.EXHAUSTIVE: EXHAUSTIVE,
        Strategy.ADAPTIVE: ADAPTIVE,
        Strategy.BISECTION: BISECTION,
        Strategy.GROUPS: GROUPS,
        Strategy.TREES: TREES,
    }
)


def strategy_of(spec: StudySpec) -> SearchStrategy:
    """Return the strategy that a study asks for."""
    return STRATEGIES[spec.strategy]
