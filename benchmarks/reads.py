"""How long reading takes with many studies: ``python -m benchmarks.reads [--studies N --trials M --tasks T]``.

A database (SQLite, or ``--database-url``, which must be empty) is filled in bulk and served by ``taskgraft serve
--no-runner``. One study is the whole sweep of T tasks: 64 tasks make 10,144 trials. Figures are milliseconds.
"""

import argparse
import json
import multiprocessing
import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from sqlalchemy import create_engine, delete

from benchmarks.filled_store import Filler, make_spec, sweep
from benchmarks.serving import Served, serving
from taskgraft.search.evidence.reduction_matrix import reduction_matrix
from taskgraft.search.store import Store, sqlite_url
from taskgraft.search.store.tables import matrices
from taskgraft.search.store.urls import parse_url

CLIENTS = 45
_CONTEXT = multiprocessing.get_context("forkserver")
_REQUESTS = 300
_TIMEOUT = 60.0
_HEALTH_SECONDS = 0.02


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        url = options.database_url or sqlite_url(Path(folder) / "taskgraft.db")
        figures: dict[str, Any] = {"studies": options.studies, "trials": options.trials}
        large, kept = _fill(url, options, figures)
        with serving(Path(folder) / "data", url, "--no-runner") as served:
            figures["one at a time"] = _sequential(served.url, large)
            figures[f"{CLIENTS} x matrix, kept"] = _matrices(served.url, large)
        _forget(url, large)
        with serving(Path(folder) / "data", url, "--no-runner") as served:
            figures[f"{CLIENTS} x matrix, worked out"] = _matrices(served.url, large)
        with serving(Path(folder) / "data", url, "--no-runner") as served:
            _forget(url, large)
            figures["seconds from SIGTERM under load to the end"] = _stop_under_load(served, large)
        with Store(url) as store:
            store.findings.keep_matrix(large, kept[0], kept[1])
    print(json.dumps(figures) if options.json else _text(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reads", description=__doc__)
    parser.add_argument("--studies", type=int, default=1_000)
    parser.add_argument("--trials", type=int, default=50_000, help="of all studies but the large one")
    parser.add_argument("--tasks", type=int, default=32, help="of the large study")
    parser.add_argument("--database-url", help="an empty database; by default a new SQLite file")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _fill(url: str, options: argparse.Namespace, figures: dict[str, Any]) -> tuple[str, Any]:
    """Fill the database; return the large study, and its matrix with the number of its trials."""
    spec = make_spec(options.tasks, "large")
    with Store(url) as store:
        filler = Filler(store, url)
        started = time.monotonic()
        filler.fill(options.studies, options.trials)
        large = filler.add(spec, sweep(spec))
        filler.analyze()
        filler.close()
        figures["seconds to fill"] = time.monotonic() - started
        started = time.process_time()
        trials = store.ledger(large).trials()
        figures["CPU seconds to read the large ledger"] = time.process_time() - started
        started = time.process_time()
        matrix = reduction_matrix(spec, trials)
        figures["trials of the large study"] = len(trials)
        figures["CPU ms of the matrix for each trial"] = 1000 * (time.process_time() - started) / len(trials)
        store.findings.keep_matrix(large, matrix, len(trials))
    return large, (matrix, len(trials))


def _forget(url: str, study_id: str) -> None:
    """Remove the kept matrix: the study is one of an earlier version then."""
    engine = create_engine(parse_url(url))
    with engine.begin() as connection:
        connection.execute(delete(matrices).where(matrices.c.study_id == study_id))
    engine.dispose()


def _sequential(base: str, large: str) -> Mapping[str, Any]:
    """Return what one request after the other takes."""
    with httpx.Client(base_url=base, timeout=_TIMEOUT) as http:
        pages = _pages(http)
        ids = [item["id"] for page in pages for item in page["items"]]
        cursors = [page["next_cursor"] for page in pages if page["next_cursor"]]
        trial_cursors = [None, *_trial_cursors(http, large)]
        pick = random.Random(0)
        reads: Mapping[str, Callable[[], httpx.Response]] = {
            "list": lambda: http.get("/v1/studies", params={"cursor": pick.choice(cursors)} if cursors else {}),
            "list of one state": lambda: http.get("/v1/studies", params={"state": "paused"}),
            "study": lambda: http.get(f"/v1/studies/{pick.choice(ids)}"),
            "large study": lambda: http.get(f"/v1/studies/{large}"),
            "page of trials": lambda: http.get(f"/v1/studies/{pick.choice(ids)}/trials"),
            "page of the large study's trials": lambda: http.get(
                f"/v1/studies/{large}/trials", params=_cursor(pick.choice(trial_cursors))
            ),
            "large matrix": lambda: http.get(f"/v1/studies/{large}/matrix"),
            "healthz": lambda: http.get("/healthz"),
        }
        return {name: _timed(read) for name, read in reads.items()}


def _cursor(cursor: str | None) -> dict[str, str]:
    return {"cursor": cursor} if cursor else {}


def _pages(http: httpx.Client) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["next_cursor"]:
        cursor = pages[-1]["next_cursor"] if pages else None
        pages.append(http.get("/v1/studies", params=_cursor(cursor)).json())
    return pages


def _trial_cursors(http: httpx.Client, study_id: str) -> Iterator[str]:
    cursor = None
    while True:
        page = http.get(f"/v1/studies/{study_id}/trials", params={"limit": 500, **_cursor(cursor)}).json()
        cursor = page["next_cursor"]
        if cursor is None:
            return
        yield cursor


def _timed(read: Callable[[], httpx.Response], count: int = _REQUESTS) -> dict[str, float]:
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        read().raise_for_status()
        taken.append(time.perf_counter() - started)
    return _spread(taken)


def _spread(seconds: list[float]) -> dict[str, float]:
    low, high = np.quantile(seconds, [0.5, 0.99])
    return {"p50": 1000 * float(low), "p99": 1000 * float(high), "max": 1000 * max(seconds)}


def _matrices(base: str, large: str) -> Mapping[str, Any]:
    """Ask for one matrix from many clients at once, and look at the service's health meanwhile."""
    begun, over, found = _CONTEXT.Event(), _CONTEXT.Event(), _CONTEXT.SimpleQueue()
    watching = _CONTEXT.Process(target=_watch_health, args=(base, begun, over, found))
    watching.start()
    begun.wait()
    with ThreadPoolExecutor(CLIENTS) as pool, httpx.Client(base_url=base, timeout=_TIMEOUT) as http:
        started = time.perf_counter()
        answers = list(pool.map(lambda _: _matrix_of(http, large), range(CLIENTS)))
        seconds = time.perf_counter() - started
    over.set()
    health = found.get()
    watching.join()
    return {
        "statuses": dict(Counter(status for status, _ in answers)),
        "seconds": seconds,
        "matrix": _spread([taken for _, taken in answers]),
        "healthz": health,
    }


def _matrix_of(http: httpx.Client, study_id: str) -> tuple[int, float]:
    """Ask until the answer is there, as `Retry-After` says; return the last status and the seconds."""
    started = time.perf_counter()
    while True:
        answer = http.get(f"/v1/studies/{study_id}/matrix")
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            return answer.status_code, time.perf_counter() - started
        time.sleep(float(answer.headers["retry-after"]))


def _watch_health(base: str, begun: Any, over: Any, found: Any) -> None:
    """Measure in a process of its own, which does not wait for the clients' turns."""
    taken = []
    with httpx.Client(base_url=base, timeout=_TIMEOUT) as http:
        while not over.is_set():
            started = time.perf_counter()
            http.get("/healthz").raise_for_status()
            taken.append(time.perf_counter() - started)
            begun.set()
            time.sleep(_HEALTH_SECONDS)
    found.put({**_spread(taken), "samples": len(taken)})


def _stop_under_load(served: Served, large: str) -> float:
    """Stop the service while clients wait for a matrix and follow a study; return the seconds until it has ended."""

    def ask(path: str) -> None:
        try:
            http.get(f"/v1/studies/{large}/{path}")
        except httpx.HTTPError:
            return

    with httpx.Client(base_url=served.url, timeout=_TIMEOUT) as http, ThreadPoolExecutor(CLIENTS) as pool:
        for place in range(CLIENTS):
            pool.submit(ask, "events" if place % 9 == 0 else "matrix")
        time.sleep(2.0)
        started = time.perf_counter()
        served.process.terminate()
        served.process.wait(_TIMEOUT)
        return time.perf_counter() - started


def _text(figures: Mapping[str, Any], indent: str = "") -> str:
    lines = []
    for name, value in figures.items():
        if isinstance(value, Mapping) and set(value) <= {"p50", "p99", "max", "samples"}:
            shown = ", ".join(f"{key} {figure:,.1f}" for key, figure in value.items())
            lines.append(f"{indent}{name}: {shown}")
        elif isinstance(value, Mapping):
            lines.append(f"{indent}{name}\n{_text(value, indent + '    ')}")
        else:
            lines.append(f"{indent}{name}: {value:,.1f}" if isinstance(value, float) else f"{indent}{name}: {value:,}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
