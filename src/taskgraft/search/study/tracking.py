"""Where finished studies are logged to MLflow, if anywhere."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from urllib.parse import urlsplit

from taskgraft.errors import InvalidInput

_SCHEMES = ("sqlite", "postgresql", "http", "https")


@dataclass(frozen=True, slots=True)
class Tracking:
    """An MLflow store by its tracking URI: a database, or an MLflow server.

    Raises:
        InvalidInput: another kind of URI, or MLflow is not installed.
    """

    uri: str = field(repr=False)
    """It may hold a password."""

    def __post_init__(self) -> None:
        try:
            scheme = urlsplit(self.uri).scheme.partition("+")[0]
        except ValueError:  # no URI at all
            scheme = ""
        if scheme not in _SCHEMES:
            rule = "a tracking URI is sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME or http(s)://HOST"
            raise InvalidInput.at("mlflow", f"{rule}; got the scheme {scheme!r:.40}")
        if find_spec("mlflow") is None:
            raise InvalidInput.at("mlflow", 'is not installed: pip install "taskgraft[mlflow]"')
