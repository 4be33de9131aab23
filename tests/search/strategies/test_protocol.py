"""What callers expect of any strategy: one suite, run on every one in the registry and on one made for this file."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import pytest

from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.trees import flat_tree, side_by_side
from taskgraft.search.strategies import registry
from taskgraft.search.strategies.explanation import explanation
from taskgraft.search.strategies.plan import plan_trials
from taskgraft.search.strategies.protocol import Models, OpenCells, Questions, SearchStrategy
from taskgraft.search.strategies.registry import STRATEGIES, strategy_of
from taskgraft.search.strategies.remaining import trainings_left
from taskgraft.search.strategies.strategy import Ask, Settled, Spent, decide
from taskgraft.search.study.spec import Strategy, StudySpec
from taskgraft.search.study.trial import Training
from taskgraft.space.matrix import Pair
from taskgraft.space.tree import BranchTree, Node
from tests.search.worlds import World, finished, make_spec

DEPTHS = (8, 4, 6)


@dataclass(frozen=True)
class AllOrNothing:
    """Asks one question: do all tasks fit at the deepest depth?"""

    def open_questions(self, spec: StudySpec, evidence: Evidence) -> Questions:
        group = flat_tree(spec.task_names, max(spec.depths), 8)
        alone = side_by_side((), spec.task_names, 8)
        if len(spec.tasks) < 2 or any(map(evidence.is_at_chance, spec.task_names)):
            return Questions((), 0, 0, lambda: alone)
        if not evidence.has_baselines(spec.task_names):
            return Questions((), 1, 0, lambda: None)
        wanted = evidence.unanswered(group)
        fits = not wanted and evidence.meets_threshold(group)
        return Questions(wanted, len(wanted), 0, lambda: None if wanted else group if fits else alone)

    def open_cells(self, spec: StudySpec, evidence: Evidence) -> OpenCells:
        asked = self.open_questions(spec, evidence).ready
        pairs = combinations(spec.task_names, 2) if asked else ()
        return OpenCells({pair: (max(spec.depths),) for pair in pairs}, len(asked), len(asked))

    def questions_left(self, spec: StudySpec, evidence: Evidence) -> None:
        return None

    def expected_questions(self, spec: StudySpec) -> int:
        return spec.least_repeats

    def likely_questions(self, spec: StudySpec, most: int, baselines: int) -> int:
        return spec.least_repeats

    def fewest_models(self, spec: StudySpec) -> Models:
        return [spec.tasks] if len(spec.tasks) > 1 else []

    def fewest_without_sharing(self, spec: StudySpec) -> int:
        return len(self.fewest_models(spec))

    def most_models(self, spec: StudySpec) -> Models:
        return self.fewest_models(spec)

    def wants_affinities(self, training: Training, spec: StudySpec, evidence: Evidence) -> bool:
        return False

    def blamed_trees(
        self, pair: Pair, node: Node, of_pair: Sequence[BranchTree], broken: Sequence[BranchTree]
    ) -> Sequence[BranchTree]:
        return broken


@pytest.fixture(params=[*STRATEGIES.values(), AllOrNothing()], ids=lambda strategy: type(strategy).__name__)
def strategy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> SearchStrategy:
    """Every strategy; studies find it under the word of a registered one, and one made for this file under `groups`."""
    tested: SearchStrategy = request.param
    words = [word for word, known in STRATEGIES.items() if known is tested] or [Strategy.GROUPS]
    monkeypatch.setattr(registry, "STRATEGIES", {words[0]: tested})
    return tested


def specs(strategy: SearchStrategy, tasks: int) -> Iterator[StudySpec]:
    (word,) = registry.STRATEGIES
    if tasks < word.fewest_tasks:
        return
    for repeats in (1, 2):
        spec = make_spec(tasks, strategy=word.value, depths=list(DEPTHS), repeats=repeats)
        assert strategy_of(spec) is strategy
        yield spec


def moments(spec: StudySpec, seed: int) -> Iterator[tuple[Evidence, Ask | Settled]]:
    """Drive a study in a random world; what is known at each moment, and the decision that follows."""
    chance = random.Random(seed)
    cells = {
        (*pair, depth): chance.choice([0.0, 0.01, 0.3]) for pair in combinations(spec.task_names, 2) for depth in DEPTHS
    }
    world, evidence = World(cells, seed=seed, worst_tree=chance.choice([0.0, 0.03])), Evidence(spec)
    while isinstance(decision := decide(spec, evidence, Spent()), Ask):
        yield evidence, decision
        training = decision.trainings[0]
        evidence.add(finished(training, world.measure(training), evidence.facts.count))
    yield evidence, decision


CASES = [(tasks, seed) for tasks in (1, 2, 4) for seed in range(3)]


def test_every_word_that_a_user_may_write_has_a_strategy() -> None:
    assert STRATEGIES.keys() == set(Strategy)


@pytest.mark.parametrize(("tasks", "seed"), CASES)
def test_questions_are_new_and_a_tree_follows_when_none_is_left(
    strategy: SearchStrategy, tasks: int, seed: int
) -> None:
    for spec in specs(strategy, tasks):
        for evidence, _ in moments(spec, seed):
            questions = strategy.open_questions(spec, evidence)
            assert not set(questions.ready) & evidence.facts.known.keys()
            assert all(evidence.has_baselines(training.tasks) for training in questions.ready)
            assert len(set(questions.ready)) == len(questions.ready) <= questions.left
            assert strategy.open_questions(spec, evidence).ready == questions.ready
            if evidence.has_baselines(spec.task_names) and not questions.ready:
                tree = questions.tree()
                assert tree is not None
                assert sorted(tree.tasks) == list(spec.task_names)


@pytest.mark.parametrize(("tasks", "seed"), CASES)
def test_open_cells_are_tried_depths_and_none_is_left_at_the_end(
    strategy: SearchStrategy, tasks: int, seed: int
) -> None:
    for spec in specs(strategy, tasks):
        for evidence, _ in moments(spec, seed):
            if not evidence.has_baselines(spec.task_names):
                continue
            found = strategy.open_cells(spec, evidence)
            assert found.at_least <= found.at_most
            assert found.cells.keys() <= set(combinations(spec.task_names, 2))
            assert all(depths and set(depths) <= set(DEPTHS) for depths in found.cells.values())
            assert bool(found.cells) is bool(strategy.open_questions(spec, evidence).ready)
            assert bool(found.cells) is bool(found.at_most)


@pytest.mark.parametrize(("tasks", "seed"), CASES)
def test_plan_and_outlook_hold_what_is_trained(strategy: SearchStrategy, tasks: int, seed: int) -> None:
    for spec in specs(strategy, tasks):
        bounds, forecasts = plan_trials(spec), []
        for evidence, decision in moments(spec, seed):
            if isinstance(decision, Ask):
                forecasts.append(evidence.facts.count + trainings_left(spec, evidence, decision).at_most)
        assert bounds[0] <= evidence.facts.count <= bounds[1]
        assert all(evidence.facts.count <= most for most in forecasts)


@pytest.mark.parametrize(("tasks", "seed"), CASES)
def test_every_branching_of_the_tree_has_a_cause(strategy: SearchStrategy, tasks: int, seed: int) -> None:
    for spec in specs(strategy, tasks):
        *_, (evidence, decision) = moments(spec, seed)
        assert isinstance(decision, Settled)
        found = explanation(spec, evidence, decision.tree)
        assert all(branching["because"] for branching in found["branchings"])
        assert found["unknown"] == []


def test_only_the_first_training_of_the_whole_group_measures_affinities(strategy: SearchStrategy) -> None:
    spec, world = next(specs(strategy, 4)), World(elsewhere=0.0, worst_tree=0.0)
    evidence, wanting = Evidence(spec), list[Training]()
    while isinstance(decision := decide(spec, evidence, Spent()), Ask):
        training = decision.trainings[0]
        if len(training.tasks) > 1 and strategy.wants_affinities(training, spec, evidence):
            wanting.append(training)
            repeated = replace(training, repeat=training.repeat + 1)  # may begin before the first one has ended
            assert not strategy.wants_affinities(repeated, spec, evidence)
        evidence.add(finished(training, world.measure(training), evidence.facts.count))
    group = flat_tree(spec.task_names, max(DEPTHS), 8)
    assert Training(group) in evidence.facts.known
    first = {STRATEGIES[Strategy.GROUPS]: Training(group, is_probe=True), STRATEGIES[Strategy.TREES]: Training(group)}
    assert wanting == [training for asked_by, training in first.items() if asked_by is strategy]


@pytest.mark.parametrize(
    ("word", "fewest", "without_sharing", "most"),
    [
        ("exhaustive", 9, 9, 9),
        ("adaptive", 4, 9, 9),
        ("bisection", 4, 3, 9),
        ("groups", 1, 3, 15),
        ("trees", 1, 1, 25),
    ],
)
def test_models_of_the_luckiest_and_the_unluckiest_study_of_three_tasks(
    word: str, fewest: int, without_sharing: int, most: int
) -> None:
    spec = make_spec(3, strategy=word, depths=list(DEPTHS))
    strategy = strategy_of(spec)
    assert len(strategy.fewest_models(spec)) == fewest
    assert strategy.fewest_without_sharing(spec) == without_sharing
    assert len(strategy.most_models(spec)) == most
