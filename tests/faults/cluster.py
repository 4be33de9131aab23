"""The topology of docker-compose.yml as plain processes, under many studies, and with a node that is lost.

``python -m tests.faults.cluster [STUDIES]``: PostgreSQL, a Ray head, two nodes, two APIs, two runners. Shows that

- one Idempotency-Key from 20 clients, through both APIs at once, is one study;
- 50 studies, posted through both APIs, run once each: one runner starts each, no training is recorded twice;
- a training whose node is killed is trained on the other one, and its study succeeds.

It takes about ten minutes on two cores.
"""

# ruff: noqa: T201
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
from sqlalchemy import create_engine, text

from taskgraft.search.store.urls import parse_url
from tests.evaluators.datasets.zips import zip_folder
from tests.postgres import postgres_server
from tests.search.corpora import write_beeps
from tests.service.cluster import RAY_AUTH, ray_head, ray_node
from tests.service.processes import read_json, running

TASKGRAFT = (sys.executable, "-m", "taskgraft")
FINAL = {"succeeded", "failed", "cancelled"}
CLIENTS = 20
SEEDS = 5
PATIENCE = 3600.0


@dataclass(frozen=True)
class Cluster:
    """What runs: clients of both APIs, the database, the folder of logs, the node that may be lost."""

    apis: tuple[httpx.Client, ...]
    database: str
    logs: Path
    node: psutil.Process

    def study(self, study_id: str) -> dict[str, Any]:
        answer = self.apis[0].get(f"/v1/studies/{study_id}")
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def trials(self, study_id: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.apis[1].get(f"/v1/studies/{study_id}/trials").json()["items"]
        return items


def study(seed: int, name: str = "s", **training: Any) -> dict[str, Any]:
    """Two tasks; every seed trains anew, and studies of one seed take over what is finished."""
    tasks = [{"name": name, "dataset": "beeps", "target": name} for name in ("pitch", "loud")]
    recipe = {"epochs": 12, "batch_size": 12, "learning_rate": 0.005, **training}
    return {"name": name, "ar_threshold": 0.9, "tasks": tasks, "depths": [8], "seed": seed, "training": recipe}


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Everything, with the dataset ``beeps``."""
    data = folder / "data"
    with ExitStack() as stack:
        server = stack.enter_context(postgres_server())
        head = stack.enter_context(ray_head(folder))
        stack.enter_context(ray_node(head, folder / "node-0.log"))
        node = stack.enter_context(ray_node(head, folder / "node-1.log", may_end=True))
        shared = ["--database-url", server.get_uri(), "--data-dir", str(data), "--json"]
        environment = {**RAY_AUTH, "TASKGRAFT_LOG_FORMAT": "json"}
        for number in range(2):
            command = [*TASKGRAFT, "runner", "--ray-address", head.address, *shared]
            read_json(stack.enter_context(running(command, folder / f"runner-{number}.log", environment=environment)))
        urls = []
        for number in range(2):
            command = [*TASKGRAFT, "serve", "--port", "0", "--no-runner", *shared]
            api = stack.enter_context(running(command, folder / f"api-{number}.log"))
            urls.append(read_json(api)["url"])
        apis = tuple(stack.enter_context(httpx.Client(base_url=url, timeout=60)) for url in urls)
        write_beeps(folder / "beeps")
        answer = apis[0].put(
            "/v1/datasets/beeps", content=zip_folder(folder / "beeps"), headers={"Content-Type": "application/zip"}
        )
        assert answer.status_code == 202, answer.text
        yield Cluster(apis, server.get_uri(), folder, psutil.Process(node.pid))


def wait(what: str, condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def post(api: httpx.Client, body: dict[str, Any], key: str | None = None) -> str:
    answer = api.post("/v1/studies", json=body, headers={"Idempotency-Key": key} if key else {})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def check_one_key(on: Cluster) -> str:
    """Post one study from many clients at once."""
    with ThreadPoolExecutor(CLIENTS) as clients:
        posted = [clients.submit(post, on.apis[client % 2], study(999), "the key") for client in range(CLIENTS)]
        ids = {future.result() for future in posted}
    assert len(ids) == 1, ids
    return ids.pop()


def check_each_runs_once(on: Cluster, ids: list[str]) -> None:
    """Wait for studies, and look at who started them and what was recorded."""
    wait("studies end", lambda: all(on.study(one)["state"] in FINAL for one in ids))
    states = Counter(on.study(one)["state"] for one in ids)
    assert states == {"succeeded": len(ids)}, states
    starts: Counter[str] = Counter()
    by_runner = []
    for log in sorted(on.logs.glob("runner-*.log")):
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        started = [line["study"] for line in lines if line["message"].endswith(" starts") and "study" in line]
        by_runner.append(len(started))
        starts.update(started)
    assert {starts[one] for one in ids} == {1}, starts
    assert not repeated_trainings(on.database)
    takeovers = [
        line for line in on.apis[0].get("/metrics").text.splitlines() if line.startswith("taskgraft_takeovers")
    ]
    print(f"{len(ids)} studies ran once each, {by_runner} by the two runners; {takeovers[0]}", flush=True)


def repeated_trainings(database: str) -> list[Any]:
    """Return what is recorded twice in one study: of Optuna's rows, where a second writer would leave one."""
    engine = create_engine(parse_url(database))
    query = (
        "SELECT trials.study_id, value_json FROM trials JOIN trial_system_attributes USING (trial_id) "
        "WHERE key = 'taskgraft:key' GROUP BY 1, 2 HAVING count(*) > 1"
    )
    with engine.connect() as connection:
        found = list(connection.execute(text(query)))
    engine.dispose()
    return found


def check_node_loss(on: Cluster) -> None:
    """Kill a node with everything on it while it trains."""
    study_id = post(on.apis[0], study(5000, epochs=400))

    def on_the_node() -> list[psutil.Process]:
        try:
            return on.node.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def trains_there() -> bool:
        mine = {str(process.pid) for process in on_the_node()}
        under_way = on.study(study_id)["running"]
        return any(trial["worker"].rpartition(":")[2] in mine and trial["fraction"] > 0.05 for trial in under_way)

    wait("a training on the node", trains_there)
    lost = on_the_node()
    for process in [on.node, *lost]:
        process.kill()
    killed = time.monotonic()
    wait("the study ends", lambda: on.study(study_id)["state"] in FINAL)
    found = on.study(study_id)
    assert found["state"] == "succeeded", found
    states = Counter(trial["state"] for trial in on.trials(study_id))
    assert set(states) == {"complete"}, states
    assert not repeated_trainings(on.database)
    gone = {str(process.pid) for process in lost}
    workers = {trial["worker"] for trial in on.trials(study_id)}
    print(
        f"a node with {len(lost)} processes was killed while it trained; {time.monotonic() - killed:.0f} s later the "
        f"study had succeeded: {states}, {len([one for one in workers if one.rpartition(':')[2] in gone])} trainings "
        "had ended there before",
        flush=True,
    )


def main(studies: int = 50) -> None:
    """Show everything."""
    with tempfile.TemporaryDirectory() as folder, cluster(Path(folder)) as on:
        start = time.monotonic()
        ids = [check_one_key(on)]
        print(f"one key from {CLIENTS} clients through two APIs: one study", flush=True)
        ids += [post(on.apis[number % 2], study(number % SEEDS, f"s{number}")) for number in range(studies)]
        check_each_runs_once(on, ids)
        print(f"{time.monotonic() - start:.0f} s", flush=True)
        check_node_loss(on)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
