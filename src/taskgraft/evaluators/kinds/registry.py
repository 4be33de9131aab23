"""The kinds of tasks. A new one is a file in this folder, a line here and one in `space/tasks.py`."""

from collections.abc import Mapping
from types import MappingProxyType

from taskgraft.evaluators.datasets.manifest import Corpus
from taskgraft.evaluators.kinds.clip import ClipKind
from taskgraft.evaluators.kinds.events import EventsKind
from taskgraft.evaluators.kinds.frames import FramesKind
from taskgraft.evaluators.kinds.protocol import Kind, Target, Targets
from taskgraft.evaluators.kinds.tags import TagsKind
from taskgraft.evaluators.kinds.value import ValueKind
from taskgraft.space.tasks import TaskKind

KINDS: Mapping[TaskKind, Kind] = MappingProxyType(
    {
        TaskKind.CLIP: ClipKind(),
        TaskKind.FRAMES: FramesKind(),
        TaskKind.EVENTS: EventsKind(),
        TaskKind.TAGS: TagsKind(),
        TaskKind.VALUE: ValueKind(),
    }
)
"""How tasks of each kind are read, trained, measured and answered."""


def task_targets(corpus: Corpus, target: Target, kind: TaskKind) -> Targets:
    """Return the labels of one task.

    Raises:
        InvalidInput: at ``target``: no such column or event; or labels that nothing can be learned from or measured on
            (a split without any, a single class, a label that train never shows).
    """
    return KINDS[kind].read(corpus, target)
