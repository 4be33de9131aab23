"""Users' own code: what a ``module:name`` stands for, where it is looked for, and the digest of its source.

Command line and Python alone call this, and workers of their studies. Nothing that a request says ends here.
"""

import hashlib
import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

from taskgraft.errors import InvalidInput
from taskgraft.space.imported import is_place


def look_in(folders: Iterable[str | Path]) -> None:
    """Let this process import from these folders, behind all from which it does already."""
    for folder in folders:
        path = str(Path(folder).absolute())
        if path not in sys.path:
            sys.path.append(path)


def searched_folders() -> tuple[str, ...]:
    """Return the folders that this process imports from, so that workers find the same modules."""
    return tuple(str(Path(folder).absolute()) for folder in sys.path)


def find(place: str) -> Any:
    """Import a module and return what ``module:name`` stands for.

    Raises:
        InvalidInput: at ``template``: another form, a module that can't be imported, or no such name in it.
    """
    if not is_place(place):
        raise InvalidInput.at("template", f"an encoder of your own has the form module:name; got {place!r:.80}")
    module, _, names = place.partition(":")
    if module == "__main__":
        raise InvalidInput.at("template", f"{place}: put it into a module of its own, so that workers can import it")
    with users_code(f"{module} can't be imported"):
        found: Any = import_module(module)
    for name in names.split("."):
        if not hasattr(found, name):
            raise InvalidInput.at("template", f"{module} has no {names}")
        found = getattr(found, name)
    return found


@contextmanager
def users_code(what: str) -> Iterator[None]:
    """Run code of a user: what it prints goes to standard error, and what it raises becomes a fault of the template.

    Raises:
        InvalidInput: at ``template``: it raised something; the message opens with ``what``.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except InvalidInput:
        raise
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise InvalidInput.at("template", f"{what}: {type(error).__name__}: {said:.300}") from error


def source_digest(place: str, classes: Iterable[type]) -> str:
    """Return a digest of the source files of a module and of classes, as far as there are any; torch's do not count.

    Raises:
        InvalidInput: the module can't be imported.
    """
    found = find(place)
    modules = {place.partition(":")[0], getattr(found, "__module__", ""), *(one.__module__ for one in classes)}
    total = hashlib.sha256()
    for name in sorted(name for name in modules if name and name.partition(".")[0] != "torch"):
        total.update(f"{name}\n{_source(name)}\n".encode())
    return total.hexdigest()


def _source(module: str) -> str:
    try:
        return inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):  # it is compiled, or made while the program runs
        return ""
