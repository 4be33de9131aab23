"""How a process manages its memory: that of tensors, and Python's garbage."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

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


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep Python's garbage collector from running during this block, which imports or makes what stays.

    Otherwise it searches all that is there again and again: for a quarter of the time of large imports.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def keep_for_good() -> None:
    """Keep the collector from all that is there now, also when the process ends; that takes a second with torch.

    Only for processes of Taskgraft's own: garbage that is there stays, too.
    """
    gc.freeze()
