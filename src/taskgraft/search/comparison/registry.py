"""The registry: which object does what a user's word for a system asks for."""

from collections.abc import Iterable, Iterator

from taskgraft.errors import Fault, InvalidInput
from taskgraft.search.comparison.protocol import System
from taskgraft.search.comparison.systems.distil import TaughtTree
from taskgraft.search.comparison.systems.flat import Flat
from taskgraft.search.comparison.systems.hoa import HigherOrder
from taskgraft.search.comparison.systems.independent import Independent
from taskgraft.search.comparison.systems.splits import Splits
from taskgraft.search.comparison.systems.tag import TaskAffinityGroups
from taskgraft.search.comparison.systems.tree import DeliveredTree
from taskgraft.search.study.spec import StudySpec

ALL = "all"
SYSTEMS: tuple[System, ...] = (
    Independent(),
    Flat(),
    DeliveredTree(),
    Splits(),
    HigherOrder(),
    TaskAffinityGroups(),
    TaughtTree(),
)
"""In the order of their rows."""


def words_of(spec: StudySpec) -> tuple[str, ...]:
    """Return every word that a comparison of this study may ask for, `ALL` apart."""
    return tuple(word for system in SYSTEMS for word in system.words(spec))


def check_systems(words: Iterable[str], spec: StudySpec) -> tuple[str, ...]:
    """Return the words that are asked for, each once, in the order of the rows; `ALL` stands for every system.

    Raises:
        InvalidInput: at ``systems``: no word, or one that stands for no system; with those that there are.
    """
    asked, known = tuple(words), words_of(spec)
    if unknown := [word for word in asked if word not in (ALL, *known)]:
        rule = f"there is no such system; there is {ALL}, {', '.join(known)}"
        raise InvalidInput(Fault("systems", f"{rule}; got {word!r:.80}") for word in unknown)
    if not asked:
        raise InvalidInput.at("systems", f"one or more of {ALL}, {', '.join(known)}")
    wanted = {*asked, *(system.name for system in SYSTEMS if ALL in asked)}
    covered = {word for system in SYSTEMS if system.name in wanted for word in system.words(spec)[1:]}
    return tuple(word for word in known if word in wanted and word not in covered)


def systems_of(words: Iterable[str], spec: StudySpec) -> Iterator[System]:
    """Yield the systems that checked words ask for."""
    for word in words:
        yield next(system.named(word) for system in SYSTEMS if word in system.words(spec))
