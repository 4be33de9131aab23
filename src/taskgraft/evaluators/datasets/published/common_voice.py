"""Common Voice (Ardila et al., 2020, https://commonvoice.mozilla.org/datasets): one language of a scripted release."""

from collections import Counter
from collections.abc import Collection, Sequence
from types import MappingProxyType

from taskgraft.evaluators.datasets.faultlog import FaultLog
from taskgraft.evaluators.datasets.forms import PATH, SPLIT
from taskgraft.evaluators.datasets.published.reading import GROUP, ClipTables, Folder, join_lists, keep_rows
from taskgraft.evaluators.datasets.splits import Split
from taskgraft.evaluators.datasets.table import Table

_LISTS = {"train.tsv": Split.TRAIN, "dev.tsv": Split.VALIDATION, "test.tsv": Split.TEST}
_ALL = "validated.tsv"
_CLIPS = "clips/"
_REQUIRED = ("client_id", "path", "age", "gender")
_MAX_NAMED = 5

GENDERS = MappingProxyType({"male": "male", "male_masculine": "male", "female": "female", "female_feminine": "female"})
"""Words of old and new releases; every other word says nothing that a voice can be judged by."""
_DECADES = {
    "below-30": ("teens", "twenties"),
    "30-60": ("thirties", "forties", "fourties", "fifties"),  # releases write "fourties"
    "above-60": ("sixties", "seventies", "eighties", "nineties"),
}
AGE_GROUPS = MappingProxyType({decade: group for group, decades in _DECADES.items() for decade in decades})


class CommonVoice:
    """The official splits if there are any, or else all validated clips; audio lies in ``clips``."""

    name = "common-voice"

    def tables(self, names: Collection[str]) -> tuple[str, ...]:
        """Return the lists of the official splits; without any, that of all validated clips."""
        official = tuple(name for name in _LISTS if name in names)
        if official and (_ALL in names or any(name.startswith(_CLIPS) for name in names)):
            return official
        return (_ALL,) if _ALL in names else ()

    def read(self, folder: Folder, tables: Sequence[str], faults: FaultLog) -> ClipTables:
        """Return every clip with gender and age group, and its speaker as the group."""
        found = [folder.read_tabs(name, _REQUIRED, faults) for name in tables]
        read = [table for table in found if table is not None]
        lists = [_read_list(folder, table, faults) for table in read]
        return ClipTables(join_lists(folder, lists, faults, _unknown_ages(read)))


def _read_list(folder: Folder, table: Table, faults: FaultLog) -> Table:
    rows, paths = [], []
    for row, given in enumerate(table.columns["path"]):
        path = f"{_CLIPS}{given}"
        if given and path not in folder.names and f"{path}.mp3" in folder.names:
            path += ".mp3"  # early releases leave the ending out
        if (plain := folder.find(path, table.at(row), faults)) is not None:
            rows.append(row)
            paths.append(plain)
    speakers, ages, genders = ([table.columns[name][row] for row in rows] for name in ("client_id", "age", "gender"))
    columns = {
        PATH: paths,
        GROUP: speakers,
        "gender": [GENDERS.get(word, "") for word in genders],
        "age_group": [AGE_GROUPS.get(word, "") for word in ages],
    }
    if table.source in _LISTS:
        columns[SPLIT] = [_LISTS[table.source].value] * len(rows)
    return keep_rows(table, rows, columns)


def _unknown_ages(tables: Sequence[Table]) -> list[str]:
    """Say which ages are no decade that is known: a newer release may have some, and they are missing labels here."""
    unknown = Counter(age for table in tables for age in table.columns["age"] if age and age not in AGE_GROUPS)
    if not unknown:
        return []
    shown = ", ".join(f"{age!r:.40}" for age, _ in unknown.most_common(_MAX_NAMED))
    return [f"clips whose age is no known decade ({shown}) have no age_group: {unknown.total():,}"]
