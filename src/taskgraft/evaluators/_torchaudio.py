"""torchaudio without its compiled extension.

The wheel of the package index is linked against CUDA: beside a CPU-only torch, importing it raises OSError. All that
Taskgraft takes from it (the mel spectrogram) is pure Python, so there the extension module is replaced by an empty
one before the first import.
"""

import sys
from collections.abc import Callable
from types import ModuleType

import torch


def _without_extension() -> ModuleType:
    def unchanged(function: Callable[..., object]) -> Callable[..., object]:
        return function

    module = ModuleType("torchaudio._extension")
    module.__dict__.update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=unchanged)
    return module


if torch.version.cuda is None and "torchaudio" not in sys.modules:
    sys.modules["torchaudio._extension"] = _without_extension()

import torchaudio  # noqa: E402

__all__ = ["torchaudio"]
