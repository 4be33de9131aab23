"""The device that a study trains on: what a specification may ask for, and what is known of it without torch."""

from importlib.metadata import PackageNotFoundError, version

from taskgraft.errors import InvalidInput, Unavailable

CPU, CUDA = "cpu", "cuda"
_FIELD = "training.device"
_PROCESSOR_ONLY = "+cpu"
"""What the versions of torch end with that compute on the processor only."""


def check_device(asked: str) -> None:
    """Refuse a device that no runner of this installation can have. Whether one has it is known when it starts.

    Raises:
        InvalidInput: at ``training.device``.
    """
    torch = torch_version()
    if asked == CUDA and torch.endswith(_PROCESSOR_ONLY):
        raise InvalidInput.at(
            _FIELD, f"cuda is not there; torch {torch} computes on the processor only; use cpu or auto"
        )


def torch_version() -> str:
    """Return the version of torch that is installed here, without importing it."""
    try:
        return version("torch")
    except PackageNotFoundError:
        return ""


def choose_device(asked: str, gpus: float) -> str:
    """Return the device for a study that asks for "auto", "cpu" or "cuda", if Ray has so many GPUs.

    Raises:
        Unavailable: a GPU is asked for and there is none.
    """
    if asked == CUDA and gpus <= 0:
        raise Unavailable(f"{_FIELD}: cuda is not there; Ray has no GPU that torch {torch_version()} can use")
    return CPU if asked == CPU or gpus <= 0 else CUDA
