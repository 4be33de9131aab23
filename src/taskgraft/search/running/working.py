"""What a worker does with a job: a training from step 0, or from the saved state of a probe."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.measurement import Measurement
from taskgraft.evaluators.open_training import Look
from taskgraft.evaluators.schedule import Schedule
from taskgraft.evaluators.study_data import StudyData
from taskgraft.evaluators.training import Trainer
from taskgraft.search.running.own_data import data_of
from taskgraft.search.study.trial import Training

if TYPE_CHECKING:  # workers import this module, and do without what makes jobs (scipy, networkx)
    from taskgraft.search.running.jobs import Job


def to_config(job: "Job") -> dict[str, Any]:
    """Return a job as a configuration of Ray Tune."""
    return {
        "key": job.training.key,
        "seed": job.seed,
        "references": dict(job.references),
        "epochs": job.epochs,
        "schedule": job.schedule,
        "start": job.start,
        "teachers": job.teachers,
        "stopping": job.stopping,
        "with_affinities": job.with_affinities,
        "with_lookaheads": job.with_lookaheads,
        "stamp": job.stamp,
        "saved": job.saved,
        "is_open": job.is_open,
    }


class Work:
    """One training under way, of the job that a configuration holds: call `advance` until it is `finished`."""

    def __init__(self, config: Mapping[str, Any], data: StudyData, schedule: Schedule, device: str) -> None:
        self._training = Training.from_key(config["key"])
        self._stamp: str = config["stamp"]
        other: Schedule | None = config["schedule"]
        self._trainer = Trainer(
            self._training.tree,
            data_of(self._training, schedule, other, data),
            other or replace(schedule, epochs=config["epochs"]),
            config["seed"],
            config["references"] or None,
            config["stopping"],
            with_affinities=config["with_affinities"],
            with_lookaheads=config["with_lookaheads"],
            device=device,
            start=config["start"],
            teachers=config["teachers"],
            is_open=config["is_open"],
        )
        self._remark = self._go_on_from(config) if config["saved"] else None

    def _go_on_from(self, config: Mapping[str, Any]) -> str | None:
        """Go on from the saved state; if it is refused, leave the training at step 0 and return what to say."""
        try:
            self._trainer.go_on_from(config["saved"], self._stamp)
        except InvalidInput as error:
            named = f"{' + '.join(self._training.tasks)} sharing {self._training.shared} blocks"
            why = "; ".join(fault.message for fault in error.faults)
            return f"{named} was trained from step 0 again: the saved state of its probe was not used, because {why}"
        return None

    @property
    def fraction(self) -> float:
        """How much of the training is done, 0..1."""
        return self._trainer.fraction

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to do."""
        return self._trainer.finished

    def advance(self) -> None:
        """Train up to the next evaluation.

        Raises:
            TrainingFailed: the loss is not finite any more.
        """
        self._trainer.advance()

    def look(self, worker: str) -> Look | None:
        """Return what the last evaluation found if references are not known yet; None for any other training.

        The model of a probe may have to be trained on, so its state is there.
        """
        return self._trainer.look(worker, with_state=self._training.is_probe)

    def measurement(self, worker: str) -> Measurement:
        """Return what was measured, with the state if the model may have to be trained on."""
        measured = replace(self._trainer.measurement(worker), remark=self._remark)
        if not self._stamp or not self._trainer.was_accepted:
            return measured
        return replace(measured, state=self._trainer.pack_state(self._stamp).content)
