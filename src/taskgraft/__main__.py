"""``python -m taskgraft``."""

from taskgraft.api.cli import main

main()
