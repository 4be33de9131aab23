"""What the API shows of a single training."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from pydantic import BaseModel, Field

from taskgraft.api.schemas import TrialView
from taskgraft.evaluators.outcomes import CLASSES, EVENTS, SEGMENTS, TAGS, Outcomes
from taskgraft.search.evidence.compared import ComparedTrial

_COUNTED = (CLASSES, TAGS, EVENTS, SEGMENTS)


class ConfusionView(BaseModel):
    """How often one answer was given where another one, or the same, was true."""

    table: str = Field(
        description="classes; tags, events or segments: 1 where one is there (truth) or was found (answer), 0 where not"
    )
    label: int = Field(description="which tag or event; 0 if there is one question")
    truth: int
    answer: int
    count: int


class TrialDetail(TrialView):
    """One training that ended, with all that the ledger has of it."""

    steps: int | None = Field(description="optimiser steps that it took")
    best_step: int | None = Field(description="the step of the checkpoint that was kept")
    planned_steps: int | None
    curve: list[dict[str, float]] = Field(
        description="each evaluation on the validation split: `step`, and the metric of each task by its name"
    )
    references: dict[str, float] = Field(
        description="metrics of the baselines of the same repeat, as far as they are known"
    )
    confusion: dict[str, list[ConfusionView]] = Field(
        description="counts on the validation split by task, at the best step; none for scores and numbers"
    )

    @classmethod
    def detailed(cls, compared: ComparedTrial, references: Mapping[str, float]) -> Self:
        """Return what the API shows of a trial, whose tasks' baselines have these metrics."""
        measured = compared.trial.measurement
        return cls(
            **dict(TrialView.of(compared)),
            steps=measured.steps if measured else None,
            best_step=measured.best_step if measured else None,
            planned_steps=measured.planned_steps if measured else None,
            curve=[dict(point) for point in measured.curve] if measured else [],
            references={task: references[task] for task in compared.trial.training.tasks if task in references},
            confusion={task: list(confusion(said)) for task, said in measured.outcomes.items()} if measured else {},
        )


def confusion(outcomes: Outcomes) -> Iterator[ConfusionView]:
    """Yield how often each answer was given to each question, where one can count."""
    for name in _COUNTED:
        if table := outcomes.tables.get(name):
            answers: Any = np.stack([table.labels, table.truth.astype(np.int64), table.predicted.astype(np.int64)])
            found, place = np.unique(answers, axis=1, return_inverse=True)
            counts = np.bincount(place.reshape(-1), table.counts, found.shape[1])
            for (label, truth, answer), count in zip(found.T, counts, strict=True):
                if count:
                    yield ConfusionView(
                        table=name, label=int(label), truth=int(truth), answer=int(answer), count=int(count)
                    )
