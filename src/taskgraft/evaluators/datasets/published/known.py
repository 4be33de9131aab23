"""The published corpora that are read as they are: one line registers one more."""

from collections.abc import Collection

from taskgraft.evaluators.datasets.published.common_voice import CommonVoice
from taskgraft.evaluators.datasets.published.desed import Desed
from taskgraft.evaluators.datasets.published.iemocap import Iemocap
from taskgraft.evaluators.datasets.published.reading import Published
from taskgraft.evaluators.datasets.published.speech_commands import SpeechCommands
from taskgraft.evaluators.datasets.published.tau_urban import TauUrban

CORPORA: tuple[Published, ...] = (
    SpeechCommands(),
    CommonVoice(),
    TauUrban(),
    Desed(),
    Iemocap(),
)


def corpus_of(names: Collection[str]) -> Published | None:
    """Return the corpus that a folder with these files is a copy of; None if it is none of them."""
    present = frozenset(names)
    return next((corpus for corpus in CORPORA if corpus.tables(present)), None)
