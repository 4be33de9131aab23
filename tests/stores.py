"""New SQLite stores for tests of what stands above them: copies of an empty one, which takes far longer to make."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from taskgraft.search.store import Store, sqlite_url


def new_store(path: Path) -> Store:
    """Return a store of an empty database in a file that is not there yet."""
    assert not path.exists()
    shutil.copyfile(_template(), path)
    return Store(sqlite_url(path))


@cache
def _template() -> Path:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = Path(folder) / "store.db"
    Store(sqlite_url(path)).close()
    return path
