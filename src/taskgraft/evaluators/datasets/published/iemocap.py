"""IEMOCAP (Busso et al., 2008, https://sail.usc.edu/iemocap): the utterances of five sessions, full release."""

import re
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from types import MappingProxyType

from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.forms import PATH, SPLIT
from taskgraft.evaluators.datasets.published.reading import GROUP, ClipTables, Folder, join_lists
from taskgraft.evaluators.datasets.splits import make_splits
from taskgraft.evaluators.datasets.table import Table

_TABLE = re.compile(r"Session[1-5]/dialog/EmoEvaluation/Ses\w+\.txt", re.ASCII)
_TURN = re.compile(
    r"\[\d+\.\d+ - \d+\.\d+\]\t"
    r"(?P<turn>(?P<session>Ses\d\d)\w+_(?P<who>[FM])\w+)\t"  # the letter of the turn's own number is the speaker's
    r"(?P<emotion>[a-z]{3})\t\[.+\]",
    re.ASCII,
)
_FORM = "[START - END] <tab> TURN <tab> EMOTION <tab> [V, A, D]"
_GENDERS = {"F": "female", "M": "male"}

EMOTIONS = MappingProxyType({"ang": "angry", "hap": "happy", "exc": "happy", "sad": "sad", "neu": "neutral"})
"""The four classes that are commonly told apart; excitement counts as happiness."""
_NO_CLASS = ("fru", "fea", "sur", "dis", "oth", "xxx")


class Iemocap:
    """Each dialogue's file of evaluations names its utterances; each utterance is a recording of its own."""

    name = "iemocap"

    def tables(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the evaluations of all dialogues."""
        return tuple(sorted(filter(_TABLE.fullmatch, names)))

    def read(self, folder: Folder, tables: Sequence[str], faults: FaultLog) -> ClipTables:
        """Return every utterance with emotion, speaker and gender, and its speaker as the group."""
        table = join_lists(folder, [_read_dialogue(folder, name, faults) for name in tables], faults)
        return ClipTables(_with_splits(table, faults))


def _read_dialogue(folder: Folder, source: str, faults: FaultLog) -> Table:
    """Read the turns of a dialogue; lines that do not start with a time are single evaluations, and are passed over."""
    columns: dict[str, list[str]] = {name: [] for name in (PATH, GROUP, "emotion", "speaker", "gender")}
    lines = []
    for number, line in folder.read_lines(source, faults):
        if not line.startswith("["):
            continue
        where = f"{source}:{number}"
        found = _TURN.fullmatch(line)
        if found is None or found["emotion"] not in (*EMOTIONS, *_NO_CLASS):
            rule = f"a turn is written {_FORM}, its emotion one of {', '.join((*EMOTIONS, *_NO_CLASS))}"
            faults.add(where, f"{rule}; got {line!r:.200}")
            continue
        if (path := folder.find(_recording(source, found["turn"]), where, faults)) is None:
            continue
        speaker = found["session"] + found["who"]
        cells = (path, speaker, EMOTIONS.get(found["emotion"], ""), speaker, _GENDERS[found["who"]])
        for name, cell in zip(columns, cells, strict=True):
            columns[name].append(cell)
        lines.append(number)
    return Table(source, columns, lines)


def _recording(source: str, turn: str) -> str:
    """Return where the recording of a turn lies.

    >>> _recording("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt", "Ses01F_impro01_M002")
    'Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M002.wav'
    """
    path = PurePosixPath(source)
    return f"{path.parts[0]}/sentences/wav/{path.stem}/{turn}.wav"


def _with_splits(table: Table, faults: FaultLog) -> Table:
    """Return the table with whole sessions as splits.

    The two speakers of a session are heard in each other's recordings, and are a woman and a man, so that every split
    has both.
    """
    sessions = [speaker[:-1] for speaker in table.columns.get("speaker", ())]
    try:
        splits = make_splits(sessions)
    except ValueError as error:
        if sessions:
            faults.add(table.header, f"whole sessions are made into splits: {error}")
        return table
    table.columns[SPLIT] = [split.value for split in splits]
    return table
