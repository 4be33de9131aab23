"""Runs a module that ends with its parent, however that dies: ``python -m taskgraft.api.tether MODULE ARGUMENTS...``.

The parent holds the other end of standard input and never writes. Standard input that ends means that it is gone:
unlike a parent-death signal, a pipe works on every system, and whichever thread of the parent made the child.
"""

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 20.0
"""How long the module may take to end in order."""


def _follow_parent() -> None:
    # os.read and not sys.stdin: a thread that waits there holds a lock that the interpreter needs to end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Start the watch, then be the module."""
    del sys.argv[0]
    threading.Thread(target=_follow_parent, name="tether", daemon=True).start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
