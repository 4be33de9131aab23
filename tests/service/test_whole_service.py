"""The whole service as processes: on one machine, and spread over PostgreSQL, a runner of its own and a Ray cluster."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.evaluators.datasets.corpora import needs_synthesizer
from tests.postgres import postgres_server
from tests.service.cluster import RAY_AUTH, ray_head, ray_node
from tests.service.flow import check_a_study_from_request_to_model, upload, write_demo_speech
from tests.service.processes import read_json, running

pytestmark = [needs_synthesizer, pytest.mark.slow(80), pytest.mark.timeout(900)]

TASKGRAFT = (sys.executable, "-m", "taskgraft")


def test_on_one_machine(tmp_path: Path) -> None:
    """With recordings of one's own: they are uploaded, and the study waits until they are checked."""
    clip = write_demo_speech(tmp_path)
    command = [*TASKGRAFT, "serve", "--port", "0", "--json", "--data-dir", str(tmp_path / "my data")]
    with running(command, tmp_path / "service.log") as service:
        url = read_json(service)["url"]
        upload(url, "spoken", clip.parents[1])
        check_a_study_from_request_to_model(url, clip, tmp_path / "model", "spoken")
        with httpx.Client(base_url=url) as http:
            assert http.delete("/v1/datasets/spoken").status_code == 204


@contextmanager
def ray_cluster(logs: Path) -> Iterator[str]:
    """The address of a cluster of two nodes: the head offers no cores, the other one does."""
    with ray_head(logs) as head, ray_node(head, logs / "node.log"):
        yield head.address


def test_spread_over_machines(tmp_path: Path) -> None:
    data_dir = tmp_path / "shared data"
    clip = write_demo_speech(data_dir)
    with postgres_server() as postgres, ray_cluster(tmp_path) as cluster:
        database = postgres.get_uri()
        shared = ["--database-url", database, "--data-dir", str(data_dir), "--json"]
        api = [*TASKGRAFT, "serve", "--port", "0", "--no-runner", *shared]
        runner = [*TASKGRAFT, "runner", "--ray-address", cluster, *shared]
        with (
            running(api, tmp_path / "api.log") as service,
            running(runner, tmp_path / "runner.log", environment=RAY_AUTH) as worker,
        ):
            assert read_json(worker) == {"data_dir": str(data_dir), "ray_address": cluster}
            check_a_study_from_request_to_model(read_json(service)["url"], clip, tmp_path / "model")
        assert not (data_dir / "taskgraft.db").exists()
