"""Kills of everything at random, while studies run.

``python -m tests.faults.random_kills [--kills N] [--seed S]``: on the topology of docker-compose.yml, each of runner,
API, training worker, Ray node and PostgreSQL is killed N times (20), in an order that S gives (0); PostgreSQL is
stopped as by a crash. With ``--embedded`` it is ``taskgraft serve`` alone, on SQLite and its own Ray, that loses
itself, training workers and Ray's node. What was killed is started again. New studies are posted for as long as that
takes. In the end

- every study has succeeded, and found what the same study found on a cluster where nothing was killed;
- no training is recorded twice in a study, and none is missing.
"""

# ruff: noqa: T201
import argparse
import random
import signal
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from taskgraft.search.store import sqlite_url
from tests.evaluators.datasets.zips import zip_folder
from tests.faults.cluster import FINAL, TASKGRAFT, repeated_trainings, study, wait
from tests.postgres import postgres_server
from tests.search.corpora import write_beeps
from tests.service.cluster import RAY_AUTH, RayHead, ray_head, ray_node
from tests.service.processes import read_json, running

PAUSE = 4.0
"""Seconds between two kills, at most: a runner needs about as long to take up its work again."""


class Part:
    """One process of the topology, which is started again when it was killed."""

    def __init__(self, start: Callable[[], Any], *, alone: bool = False) -> None:
        self._start = start
        self._alone = alone
        self._stack = ExitStack()
        self.process = self._begin()

    def _begin(self) -> psutil.Process:
        return psutil.Process(self._stack.enter_context(self._start()).pid)

    def kill(self) -> None:
        """Kill the process, and all that it started unless it is killed ``alone``, and start it again."""
        for process in [*([] if self._alone else _descendants(self.process)), self.process]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._stack.close()
        self.process = self._begin()

    def close(self) -> None:
        self._stack.close()


class Topology(ABC):
    """Services with the dataset ``beeps``, of which every part can be killed."""

    def __init__(self, folder: Path, urls: int) -> None:
        self._folder = folder
        self._logs = 0
        self.urls = [""] * urls

    @property
    @abstractmethod
    def database(self) -> str:
        """The URL of the database."""

    @property
    @abstractmethod
    def kinds(self) -> tuple[str, ...]:
        """What can be killed."""

    @abstractmethod
    def kill(self, kind: str, choice: random.Random) -> bool:
        """Kill one of a kind, and start it again; return False if there is none now."""

    def _log(self) -> Path:
        self._logs += 1
        return self._folder / f"{self._logs}.log"

    @contextmanager
    def _serve(self, number: int, *options: str) -> Iterator[Any]:
        command = [*TASKGRAFT, "serve", "--port", "0", "--data-dir", str(self._folder / "data"), "--json", *options]
        with running(command, self._log(), may_end=True) as process:
            self.urls[number] = read_json(process)["url"]
            yield process

    def _upload(self) -> None:
        write_beeps(self._folder / "beeps")
        content, headers = zip_folder(self._folder / "beeps"), {"Content-Type": "application/zip"}
        httpx.put(f"{self.urls[0]}/v1/datasets/beeps", content=content, headers=headers).raise_for_status()

    def ask(self, path: str) -> dict[str, Any]:
        """Return an answer of any API, as soon as one gives it."""
        while True:
            for url in self.urls:
                try:
                    answer = httpx.get(f"{url}{path}", timeout=30)
                except httpx.TransportError:
                    continue
                if answer.status_code == 200:
                    found: dict[str, Any] = answer.json()
                    return found
            time.sleep(0.5)

    def post(self, body: dict[str, Any], key: str) -> str:
        """Post a study until an API has taken it: with its key, it is one study however often that is."""
        while True:
            for url in self.urls:
                try:
                    answer = httpx.post(f"{url}/v1/studies", json=body, headers={"Idempotency-Key": key}, timeout=30)
                except httpx.TransportError:
                    continue
                if answer.status_code == 202:
                    return str(answer.json()["id"])
                assert answer.status_code == 503, answer.text
            time.sleep(0.5)


class Cluster(Topology):
    """PostgreSQL, a Ray head with two nodes, two APIs and two runners."""

    kinds = ("runner", "api", "worker", "node", "database")

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        super().__init__(folder, urls=2)
        self._server = stack.enter_context(postgres_server())
        self._head: RayHead = stack.enter_context(ray_head(folder))
        self._nodes = [Part(self._node) for _ in range(2)]
        self._runners = [Part(self._runner) for _ in range(2)]
        only_api = ("--no-runner", "--database-url", self.database)
        self._apis = [Part(lambda number=number: self._serve(number, *only_api)) for number in range(2)]  # type: ignore[misc]
        for part in (*self._nodes, *self._runners, *self._apis):
            stack.callback(part.close)
        self._upload()

    @property
    def database(self) -> str:
        """The URL of PostgreSQL."""
        return str(self._server.get_uri())

    def _node(self) -> Any:
        return ray_node(self._head, self._log(), may_end=True)

    @contextmanager
    def _runner(self) -> Iterator[Any]:
        command = [*TASKGRAFT, "runner", "--ray-address", self._head.address, "--database-url", self.database]
        command += ["--data-dir", str(self._folder / "data"), "--json"]
        with running(command, self._log(), environment=RAY_AUTH, may_end=True) as process:
            read_json(process)
            yield process

    def kill(self, kind: str, choice: random.Random) -> bool:
        """Kill one of a kind with all that it started."""
        if kind == "worker":
            return kill_worker([part.process for part in self._nodes], choice)
        if kind == "database":
            self._crash_database()
        else:
            choice.choice({"runner": self._runners, "api": self._apis, "node": self._nodes}[kind]).kill()
        return True

    def _crash_database(self) -> None:
        """Have PostgreSQL stop at once, as after a crash, and start it again on its folder."""
        server = psutil.Process(self._server.get_pid())
        server.send_signal(signal.SIGQUIT)
        server.wait(60)
        self._server.start()


class Embedded(Topology):
    """One ``taskgraft serve`` on SQLite, which runs studies on a Ray of its own."""

    kinds = ("service", "worker", "node")

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        super().__init__(folder, urls=1)
        self._service = Part(lambda: self._serve(0), alone=True)
        stack.callback(self._service.close)
        self._upload()

    @property
    def database(self) -> str:
        """The URL of the SQLite file."""
        return sqlite_url(self._folder / "data" / "taskgraft.db")

    def kill(self, kind: str, choice: random.Random) -> bool:
        """Kill one of a kind; what the service started has to end by itself."""
        if kind == "service":
            self._service.kill()
            return True
        if kind == "worker":
            return kill_worker([self._service.process], choice)
        raylets = [child for child in _descendants(self._service.process) if child.name() == "raylet"]
        for raylet in raylets:
            raylet.kill()
        return bool(raylets)


def kill_worker(parents: list[psutil.Process], choice: random.Random) -> bool:
    """Kill a process that trains; return False if there is none."""
    workers = [child for parent in parents for child in _descendants(parent) if _trains(child)]
    if workers:
        choice.choice(workers).kill()
    return bool(workers)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _trains(process: psutil.Process) -> bool:
    try:
        return (
            process.cmdline()[:1] != [] and process.cmdline()[0].startswith("ray::") and "Agent" not in process.name()
        )
    except psutil.Error:
        return False


def found_by(topology: Topology, study_id: str) -> tuple[Any, ...]:
    """Return what a study found, and which trainings it has."""
    result = topology.ask(f"/v1/studies/{study_id}")["result"]
    matrix = topology.ask(f"/v1/studies/{study_id}/matrix")["cells"]
    trials = topology.ask(f"/v1/studies/{study_id}/trials")["items"]
    kept = sorted((str(one["tasks"]), one["depth"], one["repeat"], one["state"], str(one["metrics"])) for one in trials)
    return result, matrix, topology.ask(f"/v1/studies/{study_id}/tree")["root"], kept


def wait_for(topology: Topology, ids: list[str]) -> None:
    wait("studies end", lambda: all(topology.ask(f"/v1/studies/{one}")["state"] in FINAL for one in ids))
    for one in ids:
        found = topology.ask(f"/v1/studies/{one}")
        assert found["state"] == "succeeded", (found["state"], found["reason"])


def disturb(topology: Topology, kills: int, choice: random.Random) -> tuple[list[str], dict[str, int]]:
    """Kill everything ``kills`` times while studies run; return the studies, and how often what was killed."""
    done, ids = dict.fromkeys(topology.kinds, 0), list[str]()
    # A training whose worker dies three times in a row fails its study: each kind has its turn in every round.
    for kind in [kind for _ in range(kills) for kind in choice.sample(topology.kinds, len(topology.kinds))]:
        killed = False
        while not killed:
            if sum(topology.ask(f"/v1/studies/{one}")["state"] not in FINAL for one in ids[-4:]) < 3:
                ids.append(topology.post(study(len(ids), f"s{len(ids)}"), f"key {len(ids)}"))
            time.sleep(choice.uniform(0.5, PAUSE))
            killed = topology.kill(kind, choice)
        done[kind] += 1
        print(f"{sum(done.values())} kills, {len(ids)} studies: {kind}", flush=True)
    return ids, done


def main() -> None:
    """Show it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.random_kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--embedded", action="store_true", help="kill a service on SQLite instead of a cluster")
    options = parser.parse_args()
    begin = Embedded if options.embedded else Cluster
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        topology: Topology = begin(stack, Path(folder))
        ids, done = disturb(topology, options.kills, random.Random(options.seed))
        wait_for(topology, ids)
        disturbed = [found_by(topology, one) for one in ids]
        assert not repeated_trainings(topology.database)
    print(
        f"{done}: {len(ids)} studies succeeded, no training is recorded twice; {time.monotonic() - start:.0f} s",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        topology = begin(stack, Path(folder))
        again = [topology.post(study(number, f"s{number}"), f"key {number}") for number in range(len(ids))]
        wait_for(topology, again)
        for number, one in enumerate(again):
            assert found_by(topology, one) == disturbed[number], number
    print(f"undisturbed, all {len(ids)} found the same; {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
