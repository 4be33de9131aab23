"""The whole service as processes: on one machine, and spread over PostgreSQL, a runner of its own and a Ray cluster."""

import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.evaluators.datasets.corpora import needs_synthesizer
from tests.postgres import postgres_server
from tests.service.flow import check_a_study_from_request_to_model, upload, write_demo_speech
from tests.service.processes import read_json, running

pytestmark = [needs_synthesizer, pytest.mark.slow(50), pytest.mark.timeout(900)]

TASKGRAFT = (sys.executable, "-m", "taskgraft")
RAY_AUTH = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "a token that only this test knows: 8f1d0b8a"}
RAY_OPTIONS = ("--min-worker-port=0", "--max-worker-port=0", "--object-store-memory=100000000", "--disable-usage-stats")


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
    """The address of a cluster of two nodes, as in docker-compose.yml: the head offers no cores, the other one does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # A node of Ray hands its Python's path to a shell as it is: one with a space in it would never start a worker.
        environment = Path(folder) / "environment"
        environment.symlink_to(sys.prefix)
        ray = [str(environment / "bin" / "python"), "-m", "ray.scripts.scripts"]
        head = [*ray, "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=0"]
        head += [f"--temp-dir={folder}", "--include-dashboard=false", *RAY_OPTIONS]
        node = [*ray, "start", "--block", "--node-ip-address=127.0.0.1", f"--address={address}", "--num-cpus=1"]
        with running(head, logs / "head.log", (0, 1, -15), RAY_AUTH) as first:
            for line in first.stdout or ():
                if "Ray runtime started" in line:
                    break
            with running([*node, *RAY_OPTIONS], logs / "node.log", (0, 1, -15), RAY_AUTH):
                yield address


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
