"""What polling costs a search: ``python -m benchmarks.polls [--rate R --seconds S --repeats N --database-url URL]``.

``taskgraft serve`` runs the study of `bench-speech.yaml`, whose trainings keep every core busy. It is run in turn with
and without clients that ask for its status: R requests a second for S seconds, sent at their times however late the
answers are. Latency counts from the time at which a request was due.
"""

import argparse
import http.client
import json
import resource
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.serving import serving
from benchmarks.studies import STUDIES
from taskgraft.api.study_files import read_study

_CLIENTS = 16
_TIMEOUT = 60.0
_LOOK_SECONDS = 0.5
_ENDED = ("succeeded", "failed", "cancelled")


@dataclass(slots=True)
class _Polls:
    """What clients saw: the seconds of each answer, and how often each status, or error, came."""

    seconds: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)


def main() -> None:
    options = _options()
    walls: dict[bool, list[float]] = {False: [], True: []}
    polls = _Polls()
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), options.database_url) as served:
        base = served.url
        _run(base, _study(epochs=1), options, None)  # the corpus and its features are made once, and not timed
        for polled in (False, True) * options.repeats:
            walls[polled].append(_run(base, _study(options.epochs), options, polls if polled else None))
    print(json.dumps(_figures(walls, polls, options), indent=2))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.polls", description=__doc__)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second, of all clients")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they ask")
    parser.add_argument("--repeats", type=int, default=2, help="runs with and without polls, each")
    parser.add_argument("--epochs", type=int, default=12, help="of each training")
    parser.add_argument("--database-url", help="an empty database; by default a new SQLite file")
    return parser.parse_args()


def _study(epochs: int) -> dict[str, Any]:
    body = read_study(STUDIES["speech"]).to_plain()
    return {**body, "strategy": "groups", "training": {**body["training"], "epochs": epochs}}


def _run(base: str, spec: Mapping[str, Any], options: argparse.Namespace, polls: _Polls | None) -> float:
    """Run the study, with clients that poll if there are ``polls``; return its seconds from the first training on.

    It is deleted in the end: the next one shall take nothing over.
    """
    study = _call(base, "POST", "/v1/studies", spec)["id"]
    started = _first_training(base, study)
    clients = _clients(base, study, options, polls) if polls else []
    while (state := _call(base, "GET", f"/v1/studies/{study}")["state"]) not in _ENDED:
        time.sleep(_LOOK_SECONDS)
    taken = time.monotonic() - started
    for client in clients:
        client.join()
    if state != "succeeded":
        raise RuntimeError(f"the study ended {state}")
    _call(base, "DELETE", f"/v1/studies/{study}")
    return taken


def _first_training(base: str, study: str) -> float:
    """Wait until the first training has begun; return the time."""
    while True:
        view = _call(base, "GET", f"/v1/studies/{study}")
        if view["running"] or view["progress"]["trials_done"] or view["state"] in _ENDED:
            return time.monotonic()
        time.sleep(_LOOK_SECONDS)


def _call(base: str, method: str, path: str, body: Any = None) -> Any:
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=_TIMEOUT)
    try:
        content = None if body is None else json.dumps(body)
        connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
        answer = connection.getresponse()
        document = json.loads(answer.read() or b"null")
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {document}")
        return document
    finally:
        connection.close()


def _clients(base: str, study: str, options: argparse.Namespace, polls: _Polls) -> list[threading.Thread]:
    begin = time.perf_counter() + _LOOK_SECONDS
    shares = [(begin + place / options.rate, begin + options.seconds) for place in range(_CLIENTS)]
    step = _CLIENTS / options.rate
    threads = [threading.Thread(target=_poll, args=(base, study, *share, step, polls)) for share in shares]
    for thread in threads:
        thread.start()
    return threads


def _poll(base: str, study: str, due: float, end: float, step: float, polls: _Polls) -> None:
    """Ask for the status at its times; one that is late is asked at once, and not left out."""
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=_TIMEOUT)
    while due < end:
        time.sleep(max(0.0, due - time.perf_counter()))
        try:
            connection.request("GET", f"/v1/studies/{study}")
            answer = connection.getresponse()
            answer.read()
            polls.answers[str(answer.status)] += 1
        except (OSError, http.client.HTTPException) as error:
            polls.answers[type(error).__name__] += 1
            connection.close()
        polls.seconds.append(time.perf_counter() - due)
        due += step
    connection.close()


def _figures(walls: Mapping[bool, list[float]], polls: _Polls, options: argparse.Namespace) -> Mapping[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    p50, p99 = np.quantile(polls.seconds, [0.5, 0.99])
    return {
        "answers": dict(polls.answers),
        "asked": options.rate * options.seconds * options.repeats,
        "ms": {"p50": 1000 * float(p50), "p99": 1000 * float(p99), "max": 1000 * max(polls.seconds)},
        "seconds of the search": {"without polls": walls[False], "with polls": walls[True]},
        "with / without": statistics.mean(walls[True]) / statistics.mean(walls[False]),
        "CPU seconds of this program": used.ru_utime + used.ru_stime,
    }


if __name__ == "__main__":
    main()
