"""The service as a process: its port, its runner, and how both end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from taskgraft.api.service import RunnerProcess, next_delay, runner_command, serve
from taskgraft.api.settings import Settings
from taskgraft.errors import Unavailable
from taskgraft.search.store import Store, sqlite_url
from tests.search.worlds import make_spec

PATIENCE = 60.0

SERVE = """
import logging, sys
from pathlib import Path
from taskgraft.api.service import serve
from taskgraft.api.settings import Settings
logging.basicConfig(level=logging.INFO)
settings = Settings(data_dir=Path(sys.argv[1]), port=0)
with_runner = sys.argv[2] == "True"
serve(settings, on_ready=lambda url: print("ready:", url, flush=True), with_runner=with_runner)
"""


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds; fail where it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextmanager
def service(data_dir: Path, with_runner: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A service in a process of its own; its output is what it logs, then its URL, then what else it logs.

    The runner writes to the same pipe, so that its end is the end of both.
    """
    command = [sys.executable, "-c", SERVE, str(data_dir), str(with_runner)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def line_with(process: subprocess.Popen[str], words: str) -> str:
    """The rest of the next line that has ``words``."""
    assert process.stdout
    for line in process.stdout:
        if words in line:
            return line.partition(words)[2].strip()
    raise AssertionError(f"the service ended without a line that has {words!r}")


def test_a_service_answers_and_ends_with_its_runner(tmp_path: Path) -> None:
    with service(tmp_path / "my data") as process:
        line_with(process, "the runner is process ")
        url = line_with(process, "ready: ")
        assert httpx.get(f"{url}/healthz").status_code == 200
        eventually(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        process.send_signal(signal.SIGTERM)
        assert process.stdout
        process.stdout.read()
        assert process.wait() == 0
    assert (tmp_path / "my data" / "taskgraft.db").is_file()


def test_streams_end_in_order_with_the_service(tmp_path: Path) -> None:
    """A connection that is cut in the middle of an answer is an error to httpx."""
    with Store(sqlite_url(tmp_path / "taskgraft.db")) as store:
        study = store.create_study(make_spec(2))[0].id
        store.pause_study(study)
    with service(tmp_path, with_runner=False) as process:
        url = line_with(process, "ready: ")
        with httpx.stream("GET", f"{url}/v1/studies/{study}/events", timeout=PATIENCE) as response:
            lines = response.iter_lines()
            assert next(lines).startswith("retry: ")
            process.send_signal(signal.SIGTERM)
            assert "event: study" in list(lines)
        assert process.wait(PATIENCE) == 0


def test_a_runner_that_dies_is_replaced(tmp_path: Path) -> None:
    with service(tmp_path) as process:
        first = int(line_with(process, "the runner is process "))
        url = line_with(process, "ready: ")
        os.kill(first, signal.SIGKILL)
        assert int(line_with(process, "the runner is process ")) != first
        assert httpx.get(f"{url}/healthz").status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.stdout
        process.stdout.read()
        assert process.wait() == 0


def test_a_runner_does_not_outlive_a_service_that_is_killed(tmp_path: Path) -> None:
    with service(tmp_path) as process:
        line_with(process, "ready: ")
        process.kill()
        assert process.stdout
        process.stdout.read()  # ends when the last process has closed it


def test_a_port_that_is_taken_is_said_so_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} of 127.0.0.1 is taken"):
            serve(Settings(data_dir=tmp_path, port=port))
    assert list(tmp_path.iterdir()) == []


def test_an_address_of_another_machine_cannot_be_listened_at(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot listen"):
        serve(Settings(data_dir=tmp_path, host="192.0.2.1", port=0))


def test_a_data_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be made"):
        serve(Settings(data_dir=tmp_path / "file" / "data", port=0))


def test_a_database_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "taskgraft.db").write_text("this is no database at all, but it is long enough to be read as one" * 20)
    with pytest.raises(Unavailable):
        serve(Settings(data_dir=tmp_path, port=0))


def test_the_runner_is_told_where_everything_is(tmp_path: Path) -> None:
    command = runner_command(Settings(data_dir=tmp_path, ray_address="ray:6379", train_ahead=3))
    assert command[-6:] == ["--data-dir", str(tmp_path), "--train-ahead", "3", "--ray-address", "ray:6379"]
    assert runner_command(Settings(data_dir=tmp_path, cores=2))[-2:] == ["--cores", "2"]
    assert not {"--ray-address", "--cores"} & set(runner_command(Settings(data_dir=tmp_path)))


def test_a_process_that_ignores_the_request_to_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taskgraft.api.service._GRACE", 0.2)
    code = f"""
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
time.sleep(600)
"""
    with RunnerProcess([sys.executable, "-c", code], {}):
        eventually(lambda: (tmp_path / "pid").is_file() and bool((tmp_path / "pid").read_text()))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_runner_that_keeps_dying_is_started_less_and_less_often() -> None:
    delays = [0.0]
    for _ in range(8):
        delays.append(next_delay(delays[-1], lived=0.5))
    assert delays[1:] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert next_delay(60, lived=3600) == 1


def test_a_tethered_module_gets_its_own_arguments_and_name(tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text("import sys; print(__name__, sys.argv[1:])")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "taskgraft.api.tether", "told", "--x", "1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as module:
        assert module.stdout
        assert module.stdout.read().strip() == "__main__ ['--x', '1']"
    assert module.returncode == 0


def test_a_tethered_module_ends_when_its_standard_input_does(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("import time\nprint('here', flush=True)\nwhile True: time.sleep(1)")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "taskgraft.api.tether", "endless"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as module:
        assert module.stdin
        line_with(module, "here")
        module.stdin.close()
        assert module.wait() == -signal.SIGTERM
