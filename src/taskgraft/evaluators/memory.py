"""How the C library hands out the memory of tensors."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of ``mallopt``; source: malloc.h of the GNU C library."""
_LARGEST_MMAP_THRESHOLD = 32 * 2**20
_KEPT = 256 * 2**20


def keep_freed_memory() -> None:
    """Let this process keep up to 256 MiB that it freed, for its next tensors; only where the C library is GNU's.

    Otherwise every large tensor of every step is mapped anew and unmapped again, and the kernel clears its pages each
    time: thousands of page faults a step, which take an eighth of the step.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)
        mallopt(_TRIM_THRESHOLD, _KEPT)
