"""Whether the packages that aggregators compute with are installed here; none of them is imported for that."""

from importlib.util import find_spec

from taskgraft.errors import InvalidInput
from taskgraft.evaluators.weighting.protocol import LossWeighting

EXTRA = "aggregators"


def check_installed(weighting: LossWeighting) -> None:
    """Refuse an aggregator without the packages that it needs.

    Raises:
        InvalidInput: at ``training.loss_weighting``.
    """
    missing = [package for package in weighting.packages if not is_installed(package)]
    if missing:
        lacks = (
            f"{weighting.name} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        )
        raise InvalidInput.at("training.loss_weighting", f'{lacks}: pip install "taskgraft[{EXTRA}]"')


def is_installed(package: str) -> bool:
    """Return whether there is a package of that name."""
    return find_spec(package) is not None
