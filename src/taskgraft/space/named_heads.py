"""Heads that a task of a study may ask for by name, in place of its template's own.

A name stands for one head for whole clips, one for every time step, or both. A new one is a line here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from taskgraft.errors import InvalidInput
from taskgraft.space.heads import (
    AttentionHead,
    BiGruHead,
    GruHead,
    Head,
    LstmHead,
    MeanHead,
    MlpHead,
    PoolHead,
    StepHead,
    WeighedBiGruHead,
)
from taskgraft.space.tasks import Answer, Task, TaskKind


@dataclass(frozen=True, slots=True)
class NamedHead:
    """The heads of one name: ``clip`` answers for whole clips, ``steps`` for every time step, None: it does not.

    ``weighed`` answers for every time step, too, and weighs them for events of whole clips. One that goes ``over_time``
    needs a time axis, whatever it answers.
    """

    clip: Head | None = None
    steps: Head | None = None
    weighed: Head | None = None
    over_time: bool = False

    def head(self, kind: TaskKind) -> Head | None:
        """Return the head that answers this kind of task."""
        if kind.form.answer is Answer.POOLED_STEPS:
            return self.weighed or self.steps
        return self.steps if kind.form.answer.needs_time else self.clip


NAMED_HEADS: Mapping[str, NamedHead] = MappingProxyType(
    {
        "attention": NamedHead(clip=AttentionHead(hidden=32)),
        "pool": NamedHead(clip=PoolHead()),
        "mean": NamedHead(clip=MeanHead()),
        "mlp": NamedHead(clip=MlpHead(hidden=64)),
        "gru": NamedHead(steps=GruHead(hidden=28), over_time=True),
        "bigru": NamedHead(
            BiGruHead(hidden=128, pooled=True), BiGruHead(hidden=128), WeighedBiGruHead(hidden=128), over_time=True
        ),
        "lstm": NamedHead(LstmHead(hidden=28, pooled=True), LstmHead(hidden=28), over_time=True),
        "steps": NamedHead(steps=StepHead(), over_time=True),
    }
)


def check_named_head(name: str, kind: TaskKind) -> Head:
    """Return the head of that name for this kind of task.

    Raises:
        InvalidInput: at ``head``: there is none, and the message lists those there are.
    """
    able = ", ".join(other for other, named in NAMED_HEADS.items() if named.head(kind))
    if name not in NAMED_HEADS:
        raise InvalidInput.at("head", f"no head {name!r:.80}; for {kind.value} tasks there is {able}")
    head = NAMED_HEADS[name].head(kind)
    if head is None:
        answers = "whole clips" if kind.form.answer.needs_time else "every time step"
        raise InvalidInput.at("head", f"{name} answers for {answers}; for {kind.value} tasks there is {able}")
    return head


def head_of(task: Task, name: str, why_no_steps: str) -> Head:
    """Return the head of that name for a task, behind an encoder; ``why_no_steps`` says why that one has no time steps.

    Raises:
        InvalidInput: at ``head``, as `check_named_head`, or the encoder has no time steps and the head needs them.
    """
    head = check_named_head(name, task.kind)
    if why_no_steps and NAMED_HEADS[name].over_time:
        raise InvalidInput.at("head", f"{name} of {task.name} goes over time steps, and {why_no_steps}")
    return head
