"""What a local Ray consists of, what it leaves behind, and what its workers import."""

import ipaddress
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest
from ray._private.node import Node

from taskgraft.search.running import ray_session as sessions
from taskgraft.search.running.ray_session import ray_session

_PROGRAM = """
import json, os, sys, psutil
from taskgraft.search.running.ray_session import ray_session
from taskgraft.search.study.machines import Machines
with ray_session(Machines(cores=1)):
    print(json.dumps({one.pid: one.name() for one in psutil.Process().children(recursive=True)}), flush=True)
    sys.stdin.read()
"""


def started() -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def processes(program: "subprocess.Popen[str]") -> dict[psutil.Process, str]:
    assert program.stdout
    return {psutil.Process(int(pid)): name for pid, name in json.loads(program.stdout.readline()).items()}


@pytest.fixture(scope="module")
def ended() -> dict[psutil.Process, str]:
    """What a program consisted of that used Ray and ended in order."""
    with started() as program:
        found = processes(program)
        program.communicate()
    assert program.returncode == 0
    return found


@pytest.mark.slow
def test_a_local_ray_starts_nothing_that_a_study_does_not_use(ended: dict[psutil.Process, str]) -> None:
    names = set(ended.values())
    assert {"gcs_server", "raylet"} <= names
    others = names - {"gcs_server", "raylet", "sh"}
    assert len(others) <= 2  # Ray's two agents, without which it does not start
    assert not any("worker" in name or "IDLE" in name for name in others)


@pytest.mark.slow
def test_nothing_is_left_of_a_local_ray_whose_program_is_killed() -> None:
    """Ray's agents would look for a database that is gone for more than a minute."""
    with started() as program:
        left = list(processes(program))
        program.send_signal(signal.SIGKILL)
    gone, alive = psutil.wait_procs(left, timeout=50)
    assert not alive
    assert len(gone) >= 4


@pytest.mark.slow
def test_the_watcher_of_the_agents_ends_with_the_session(ended: dict[psutil.Process, str]) -> None:
    _, alive = psutil.wait_procs(list(ended), timeout=50)
    assert not alive


def test_rays_own_methods_are_back_when_it_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [getattr(Node, name) for name in sessions._UNUSED]

    def fail(**settings: object) -> None:
        assert [getattr(Node, name) for name in sessions._UNUSED] != before
        raise RuntimeError("no Ray today")

    monkeypatch.setattr("ray.init", fail)
    with pytest.raises(Exception, match="no Ray today"), ray_session():
        pass
    assert [getattr(Node, name) for name in sessions._UNUSED] == before


def test_children_are_those_that_live_and_have_the_name() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        while psutil.Process(child.pid).name() != "sleep":
            time.sleep(0.01)
        assert child.pid in sessions._children(os.getpid())
        assert sessions._children(os.getpid(), "sleep") == [child.pid]
        assert sessions._children(os.getpid(), "wake") == []
        child.kill()
    assert sessions._children(child.pid) == []


def test_a_worker_imports_what_trains_and_nothing_of_the_search() -> None:
    code = (
        "import gc, sys\n"
        "from taskgraft.search.running.startup import prepare_worker\n"
        "prepare_worker()\n"
        "assert gc.isenabled() and gc.get_freeze_count() > 0\n"
        "print(*sorted(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    modules = set(done.stdout.split())
    assert {"torch", "taskgraft.evaluators.training", "taskgraft.search.running.tuner"} <= modules
    assert not modules & {"scipy", "networkx", "optuna", "sqlalchemy", "onnx", "onnxruntime", "torch._dynamo"}


_SOCKETS = """
import json, os, psutil, ray
os.environ.update(RAY_AUTH_MODE="disabled", RAY_AUTH_TOKEN="theirs")
from taskgraft.search.running.ray_session import ray_session
from taskgraft.search.study.machines import Machines

def listening(process):
    return [one.laddr.ip for one in process.net_connections("inet") if one.status == psutil.CONN_LISTEN]

with ray_session(Machines(cores=1)):
    own = ray.get(ray.remote(lambda: os.getpid()).remote())
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    found = {one.pid: listening(one) for one in processes}
    shown = [word for one in processes for word in one.cmdline() if os.environ["RAY_AUTH_TOKEN"] in word]
    modes = {one.environ().get("RAY_AUTH_MODE") for one in processes if one.pid == own or one.name() == "raylet"}
    print(json.dumps({"worker": own in found, "listening": list(found.values()), "shown": shown, "modes": list(modes),
                      "token": os.environ["RAY_AUTH_TOKEN"]}), flush=True)
assert (os.environ["RAY_AUTH_MODE"], os.environ["RAY_AUTH_TOKEN"]) == ("disabled", "theirs")
"""


@pytest.mark.slow
def test_a_local_ray_listens_on_loopback_alone_and_has_a_token_of_its_own() -> None:
    """Whoever speaks to it runs code as us. What the environment says is for clusters."""
    done = subprocess.run([sys.executable, "-c", _SOCKETS], check=True, capture_output=True, text=True)
    found = json.loads(done.stdout)
    addresses = [address for process in found["listening"] for address in process]
    assert len(addresses) >= 5
    assert all(ipaddress.ip_address(address.removeprefix("::ffff:")).is_loopback for address in addresses), addresses
    assert found["worker"]
    assert found["modes"] == ["token"]
    assert found["shown"] == []
    assert len(found["token"]) == 64


@pytest.mark.slow(seconds=32)  # Ray waits for thirty of them, whatever its settings say
def test_a_local_ray_that_loses_a_process_while_it_starts_is_started_again() -> None:
    with started() as program:
        lost = _kill_raylet(psutil.Process(program.pid))
        found = processes(program)
        program.communicate()
    assert program.returncode == 0
    assert "raylet" in found.values()
    assert lost not in found


def _kill_raylet(program: psutil.Process) -> psutil.Process:
    """Kill the program's raylet as soon as there is one."""
    while True:
        for child in program.children():
            with suppress(psutil.Error):
                if child.name() == "raylet":
                    child.kill()
                    return child
        time.sleep(0.005)
