"""The arithmetic of trainings: on which device, and with which numbers."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache

import torch

from taskgraft.errors import Unavailable


@cache
def has_bfloat16() -> bool:
    """Return whether this processor multiplies bfloat16 natively.

    Training takes 1.5 times as long without it; emulation is slower still.
    """
    known = torch.cpu.get_capabilities()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


@dataclass(frozen=True, slots=True)
class Precision:
    """A device, and the type in which it multiplies; sums and weights stay in float32.

    Small gradients vanish in float16, so the loss is scaled up there.
    """

    device: torch.device
    multiplies_in: torch.dtype

    @classmethod
    def on(cls, device: str) -> "Precision":
        """Return the precision for a device: "cpu" or "cuda".

        Raises:
            Unavailable: this process has no such device.
        """
        if device == "cpu":
            return cls(torch.device(device), torch.bfloat16 if has_bfloat16() else torch.float32)
        if not torch.cuda.is_available():
            raise Unavailable(f"training.device: {device} is not there; torch {torch.__version__} finds no GPU")
        return cls(torch.device(device), torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16)

    def autocast(self) -> AbstractContextManager[None]:
        """Return the context of a forward pass."""
        is_mixed = self.multiplies_in is not torch.float32
        return torch.autocast(self.device.type, self.multiplies_in if is_mixed else torch.bfloat16, enabled=is_mixed)

    def scaler(self) -> torch.amp.GradScaler:
        """Return what scales the loss; it does nothing for types with the range of float32."""
        return torch.amp.GradScaler(self.device.type, enabled=self.multiplies_in is torch.float16)
