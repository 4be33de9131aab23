"""Settings of a service, and the one place that reads them from the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Self

from taskgraft.errors import Fault, InvalidInput
from taskgraft.evaluators.datasets.archive import Limits
from taskgraft.logs import TEXT, check_format
from taskgraft.search.store import sqlite_url
from taskgraft.search.study.machines import THIS_MACHINE, Machines
from taskgraft.search.study.tracking import Tracking

PREFIX = "TASKGRAFT_"
_PORTS = range(65_536)
_LARGEST = Limits()
_LIMITS = ("upload_bytes", "upload_files", "upload_expanded", "connections")
_NUMBERS = {"port": "a port", "cores": "a number of cores", "train_ahead": "a number of trainings"}
_SECONDS = ("head_seconds", "body_seconds", "answer_seconds")
_NUMBERS |= dict.fromkeys(_LIMITS, "a limit") | dict.fromkeys(_SECONDS, "a number of seconds")
_HOST = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_HOST_RULE = "a host is a name or an address, with or without a port: audio.example.org, 10.0.0.7:8080, [::1]"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a service listens and where it keeps what it knows.

    ``data_dir`` holds datasets, features, checkpoints and artifacts, and the database too unless ``database_url`` names
    another one. Port 0 takes any free one. Without ``ray_address`` the runner starts a Ray of its own on
    ``cores`` of this machine, by default all that it may use. At most ``train_ahead`` models are trained at once, on
    free cores, before a study asks for them. Manifests below the folders ``datasets_root`` may be registered. An upload
    has at most ``upload_bytes`` and ``upload_files``, and unpacks to at most ``upload_expanded`` bytes. Lines of
    the log have the form ``log_format``, "text" or "json". Finished studies are logged to the tracking URI ``mlflow``.

    Besides its own address the service goes by the names ``allowed_hosts``, each with or without a port. It holds at
    most ``connections``. A client has ``head_seconds`` to say what it asks for, ``body_seconds`` for a body (and more
    if that is large), and ``answer_seconds`` to take the next part of an answer.

    Raises:
        InvalidInput: an invalid port, number, limit, host, format or tracking URI, a root that is not a folder, or an
            MLflow that is not installed.
    """

    data_dir: Path = Path("taskgraft-data")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    ray_address: str | None = None
    cores: int | None = None
    train_ahead: int = THIS_MACHINE.train_ahead
    datasets_root: tuple[Path, ...] = ()
    upload_bytes: int = _LARGEST.bytes
    upload_files: int = _LARGEST.files
    upload_expanded: int = _LARGEST.expanded
    allowed_hosts: tuple[str, ...] = ()
    connections: int = 512
    head_seconds: float = 10
    body_seconds: float = 20
    answer_seconds: float = 60
    log_format: str = TEXT
    mlflow: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        faults = []
        if self.port not in _PORTS:
            faults.append(Fault("port", f"a port lies within 0..{_PORTS[-1]}; got {self.port}"))
        if not self.host:
            faults.append(Fault("host", "is required; got ''"))
        limits = {name: getattr(self, name) for name in _LIMITS}
        faults += [Fault(name, f"a limit is 1 or more; got {limit}") for name, limit in limits.items() if limit < 1]
        times = {name: getattr(self, name) for name in _SECONDS}
        faults += [Fault(name, f"seconds are above 0; got {time}") for name, time in times.items() if not time > 0]
        faults += [Fault("allowed_hosts", f"{_HOST_RULE}; got {host!r:.80}") for host in self._strange_hosts()]
        strays = [root for root in self.datasets_root if not root.is_dir()]
        faults += [Fault("datasets_root", f"a root is a folder; got {str(root)!r}") for root in strays]
        for check_itself in (lambda: self.machines, lambda: self.tracking):
            try:
                check_itself()
            except InvalidInput as error:
                faults += error.faults
        try:
            check_format("log_format", self.log_format)
        except InvalidInput as error:
            faults += error.faults
        if faults:
            raise InvalidInput(faults)
        object.__setattr__(self, "datasets_root", tuple(Path(root).resolve() for root in self.datasets_root))
        object.__setattr__(self, "data_dir", Path(self.data_dir).absolute())
        if not self.database_url:
            object.__setattr__(self, "database_url", sqlite_url(self.data_dir / "taskgraft.db"))
        if self.mlflow and self.mlflow == self.database_url:
            raise InvalidInput.at("mlflow", "MLflow needs a database of its own")

    def _strange_hosts(self) -> list[str]:
        return [host for host in self.allowed_hosts if not _HOST.fullmatch(host)]

    @property
    def machines(self) -> Machines:
        """Where trainings run."""
        return Machines(self.ray_address, self.cores, self.train_ahead)

    @property
    def tracking(self) -> Tracking | None:
        """Where finished studies are logged, if anywhere."""
        return Tracking(self.mlflow) if self.mlflow else None

    @property
    def limits(self) -> Limits:
        """What an upload may hold."""
        return Limits(self.upload_bytes, self.upload_files, self.upload_expanded)

    @classmethod
    def from_environment(
        cls, given: Mapping[str, object] = MappingProxyType({}), environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Return settings from ``TASKGRAFT_DATA_DIR``, ``_DATABASE_URL``, ``_HOST``, ``_PORT`` and so on.

        ``TASKGRAFT_DATASETS_ROOT`` names folders with ``:`` between them (``;`` on Windows), and
        ``TASKGRAFT_ALLOWED_HOSTS`` names with commas. A variable that is empty counts as absent; ``given`` values take
        precedence.

        Raises:
            InvalidInput: a value that breaks a rule.
        """
        found = {name: environment.get(PREFIX + name.upper(), "") for name in cls.__dataclass_fields__}
        values: dict[str, object] = {name: value for name, value in found.items() if value}
        for name in values.keys() & _NUMBERS:
            values[name] = _whole(name, found[name])
        if "datasets_root" in values:
            values["datasets_root"] = tuple(map(Path, filter(None, found["datasets_root"].split(os.pathsep))))
        if "allowed_hosts" in values:
            values["allowed_hosts"] = tuple(filter(None, map(str.strip, found["allowed_hosts"].split(","))))
        return cls(**values | dict(given))  # type: ignore[arg-type]


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidInput.at(f"{PREFIX}{name.upper()}", f"{_NUMBERS[name]} is a whole number; got {text!r:.80}")
    return int(text)
