"""The files of the datasets that a study uses, as they were when they were checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taskgraft.errors import Fault, InvalidInput
from taskgraft.search.store import Store
from taskgraft.search.study.dataset import Dataset, DatasetState


@dataclass(frozen=True, slots=True)
class StudySources:
    """The versions that a study uses."""

    datasets: Mapping[str, Dataset]
    data_dir: Path

    @classmethod
    def of(cls, store: Store, versions: Mapping[str, int], data_dir: Path) -> "StudySources":
        """Look the versions up.

        Raises:
            NotFound: one of them was deleted.
        """
        return cls({name: store.datasets.get(name, version) for name, version in versions.items()}, data_dir)

    def manifests(self) -> dict[str, Path]:
        """Return where their manifests are.

        Raises:
            InvalidInput: one of them is broken, or its files are gone.
        """
        return {name: find_files(dataset, self.data_dir) for name, dataset in self.datasets.items()}

    def check(self, fingerprints: Mapping[str, str]) -> None:
        """Compare the datasets with what was checked.

        Raises:
            InvalidInput: a file of them changed since.
        """
        changed = [name for name, dataset in self.datasets.items() if dataset.fingerprint != fingerprints[name]]
        if changed:
            raise InvalidInput(
                Fault(
                    "dataset",
                    f"{name} changed on the disk since version {self.datasets[name].version} of it was checked; "
                    "register it again and start a new study",
                )
                for name in changed
            )


def find_files(dataset: Dataset, data_dir: Path) -> Path:
    """Return where the manifest of a dataset is.

    Raises:
        InvalidInput: at ``dataset``: it is not ready, or its files are gone.
    """
    if dataset.state is not DatasetState.READY:
        raise dataset.faults()
    manifest = dataset.source.manifest(data_dir)
    if not _is_there(manifest):
        raise InvalidInput.at(
            "dataset", f"the files of {dataset.name}, version {dataset.version}, are gone: {manifest} does not exist"
        )
    return manifest


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a folder that may not be entered
        return False
