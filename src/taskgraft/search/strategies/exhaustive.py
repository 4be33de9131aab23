"""Strategy `exhaustive`: every pair at every depth, the published sweep."""

from dataclasses import dataclass

from taskgraft.search.strategies.depth_rules import NOTHING, Answers, Depths
from taskgraft.search.strategies.pairs import PairStrategy


@dataclass(frozen=True, slots=True)
class EveryDepth:
    """Asks about all depths at once, whatever the answers. Implements `DepthRule`."""

    def ready(self, depths: Depths, known: Answers) -> list[tuple[int, int]]:
        """Return all depths that are not known, the deepest with most questions behind it; see `DepthRule`."""
        return list(enumerate(sorted(self.open_depths(depths, known)), 1))

    def open_depths(self, depths: Depths, known: Answers) -> frozenset[int]:
        """Return all depths that are not known."""
        return frozenset(depths).difference(depth for depth, _ in known)

    def most_questions(self, depths: Depths, known: Answers = NOTHING) -> int:
        """Return the number of depths that are not known."""
        return len(depths) - len(known)

    def fewest_questions(self, depths: Depths, known: Answers = NOTHING) -> int:
        """Return the number of depths that are not known."""
        return len(depths) - len(known)

    def fewest_without_sharing(self, depths: Depths) -> int:
        """Return the number of depths."""
        return len(depths)

    def expected_questions(self, depths: Depths, known: Answers, chance: float) -> float:
        """Return the number of depths that are not known; answers change nothing."""
        return len(depths) - len(known)

    def in_turn(self, questions: int) -> int:
        """Return 1: questions do not wait for each other."""
        return 1


EXHAUSTIVE = PairStrategy(EveryDepth())
