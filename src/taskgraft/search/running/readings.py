"""What baselines and models of a study say on validation and on test, held against each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.evaluation import evaluate
from taskgraft.evaluators.measurement import Outcomes
from taskgraft.search.evidence.answers import baseline_outcomes, seed_noise
from taskgraft.search.evidence.evidence import Evidence
from taskgraft.search.evidence.reading import Answers, Groups, Reading
from taskgraft.search.running.networks import Networks
from taskgraft.search.study.preparation import PreparedStudy
from taskgraft.search.study.trial import Training


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Reads splits against the baselines of a study; each baseline is asked about the test clips once."""

    prepared: PreparedStudy
    evidence: Evidence
    networks: Networks
    _tests: dict[str, list[Outcomes]] = field(default_factory=dict)

    def against_baselines(self, split: Split, said: Answers, alone: frozenset[str] = frozenset()) -> Reading:
        """Return the reading of what a model said. Tasks that are ``alone`` are their own baseline, of any repeat."""
        spec = self.prepared.spec
        return Reading(
            spec,
            {name: said[name] if name in alone else answers for name, answers in self._baselines(split).items()},
            said,
            groups_of(self.prepared),
            alone,
            frozenset(filter(self.evidence.is_at_chance, spec.task_names)),
            seed_noise(self.evidence) if spec.baseline_repeats > 1 else None,
        )

    def _baselines(self, split: Split) -> Answers:
        if split is Split.VALIDATION:
            return baseline_outcomes(self.evidence)
        if not self._tests:
            for name in self.prepared.spec.task_names:
                self._tests.update(self.on_test(*self.evidence.trainings(self.evidence.baseline(name))))
        return self._tests

    def on_test(self, *trainings: Training) -> Mapping[str, list[Outcomes]]:
        """Ask each training about the test clips of its tasks."""
        said: dict[str, list[Outcomes]] = {}
        for training in trainings:
            model = self.networks.assemble(training.tree, [training])
            for name, outcomes in evaluate(model, self.networks.data, Split.TEST).items():
                said.setdefault(name, []).append(outcomes)
        return said


def groups_of(prepared: PreparedStudy) -> Groups:
    """Return the group of every clip, by corpus."""
    return {name: corpus.group_numbers() for name, corpus in prepared.corpora.items()}
