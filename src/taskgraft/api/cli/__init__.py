"""The command line: every command as a thin door to the floors below."""

from taskgraft.api.cli.main import main

__all__ = ["main"]
