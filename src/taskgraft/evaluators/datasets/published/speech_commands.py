"""Speech Commands (Warden, 2018, https://arxiv.org/abs/1804.03209), versions 0.01 and 0.02."""

import os
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.forms import PATH, SPLIT
from taskgraft.evaluators.datasets.paths import is_text
from taskgraft.evaluators.datasets.published.reading import GROUP, ClipTables, Folder, join_lists
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.table import Table

_LISTS = {"validation_list.txt": Split.VALIDATION, "testing_list.txt": Split.TEST}
_NOISE = "_background_noise_"
_AFTER_SPEAKER = "_nohash_"


class SpeechCommands:
    """One folder per word; two lists name the clips of validation and test, and every other clip is for training."""

    name = "speech-commands"

    def tables(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the two lists."""
        return tuple(_LISTS) if all(name in names for name in _LISTS) else ()

    def read(self, folder: Folder, tables: Sequence[str], faults: FaultLog) -> ClipTables:
        """Return every clip with its word, its speaker as the group, and its split."""
        clips = _find_clips(folder, faults)
        listed: dict[str, str] = {}
        lists = [_read_list(folder, name, clips, listed, faults) for name in tables]
        rest = [path for path in clips if path not in listed]
        train = _table(folder.name, rest, [0] * len(rest), clips, Split.TRAIN)
        return ClipTables(join_lists(folder, [train, *lists], faults))


def _find_clips(folder: Folder, faults: FaultLog) -> dict[str, str]:
    """Return the path of every clip and its speaker."""
    clips: dict[str, str] = {}
    for name in sorted(folder.names):
        path = PurePosixPath(name)
        if len(path.parts) != 2 or path.suffix != ".wav" or path.parts[0] == _NOISE:
            continue
        speaker, mark, _ = path.stem.partition(_AFTER_SPEAKER)
        if not is_text(name):
            faults.add(folder.name, f"names of files are UTF-8; got {os.fsencode(name)!r:.300}")
        elif not (speaker and mark):
            faults.add(folder.name, f"a clip is called SPEAKER{_AFTER_SPEAKER}NUMBER.wav; got {name!r:.300}")
        else:
            clips[name] = speaker
    return clips


def _read_list(folder: Folder, source: str, clips: dict[str, str], listed: dict[str, str], faults: FaultLog) -> Table:
    """Read the list of one split; ``listed`` holds every clip that a list names, and where."""
    paths, lines = [], []
    for number, line in folder.read_lines(source, faults):
        where = f"{source}:{number}"
        path = folder.find(line, where, faults)
        if path is None:
            continue
        if path not in clips:
            faults.add(where, f"a list names clips of words; got {path!r}")
        elif path in listed:
            faults.add(where, f"a clip is listed once; {path!r} is already at {listed[path]}")
        else:
            listed[path] = where
            paths.append(path)
            lines.append(number)
    return _table(source, paths, lines, clips, _LISTS[source])


def _table(source: str, paths: Sequence[str], lines: list[int], clips: dict[str, str], split: Split) -> Table:
    columns = {
        PATH: list(paths),
        SPLIT: [split.value] * len(paths),
        GROUP: [clips[path] for path in paths],
        "word": [path.partition("/")[0] for path in paths],
    }
    return Table(source, columns, lines)
