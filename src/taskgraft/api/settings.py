"""Settings of a service, and the one place that reads them from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Self

from taskgraft.errors import Fault, InvalidInput
from taskgraft.search.store import sqlite_url

PREFIX = "TASKGRAFT_"
_PORTS = range(65_536)


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a service listens and where it keeps what it knows.

    ``data_dir`` holds datasets, features, checkpoints and artifacts, and the database too where ``database_url`` names
    no other. Port 0 takes any free one. Without ``ray_address`` the runner starts a Ray of its own.

    Raises:
        InvalidInput: a port that is none, or an empty host.
    """

    data_dir: Path = Path("taskgraft-data")
    database_url: str = ""
    host: str = "127.0.0.1"
    port: int = 8080
    ray_address: str | None = None

    def __post_init__(self) -> None:
        faults = []
        if self.port not in _PORTS:
            faults.append(Fault("port", f"a port lies within 0..{_PORTS[-1]}; got {self.port}"))
        if not self.host:
            faults.append(Fault("host", "is required; got ''"))
        if faults:
            raise InvalidInput(faults)
        object.__setattr__(self, "data_dir", Path(self.data_dir).absolute())
        if not self.database_url:
            object.__setattr__(self, "database_url", sqlite_url(self.data_dir / "taskgraft.db"))

    @classmethod
    def from_environment(
        cls, given: Mapping[str, object] = MappingProxyType({}), environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Settings from ``TASKGRAFT_DATA_DIR``, ``_DATABASE_URL``, ``_HOST``, ``_PORT`` and ``_RAY_ADDRESS``.

        A variable that is empty counts as absent; what is ``given`` goes before it.

        Raises:
            InvalidInput: a value that breaks a rule.
        """
        found = {name: environment.get(PREFIX + name.upper(), "") for name in cls.__dataclass_fields__}
        port = found.pop("port")
        if port and not (port.isascii() and port.isdigit()):
            raise InvalidInput.at(f"{PREFIX}PORT", f"a port is a whole number; got {port!r}")
        values: dict[str, object] = {name: value for name, value in found.items() if value}
        if port:
            values["port"] = int(port)
        return cls(**values | dict(given))  # type: ignore[arg-type]
