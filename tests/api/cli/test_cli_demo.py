"""The demonstration, interrupted; its whole run takes as long as its trainings and is `make demo`'s own test."""

import signal
import subprocess
from pathlib import Path

import httpx
import psutil
import pytest

from tests.api.cli.commands import PROGRAM
from tests.evaluators.datasets.corpora import needs_synthesizer
from tests.service.flow import wait, write_demo_speech

pytestmark = [needs_synthesizer, pytest.mark.slow]

PATIENCE = 60


def test_ctrl_c_ends_the_service_too(tmp_path: Path) -> None:
    out = tmp_path / "the demo"
    write_demo_speech(out / "service")
    command = [*PROGRAM, "demo", "--out", str(out)]
    # A shell's background job ignores Ctrl-C, and its children inherit that.
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as demo:
        try:
            assert demo.stderr
            url = demo.stderr.readline().removeprefix("service at ").partition(",")[0]
            with httpx.Client(base_url=url) as http:
                wait(lambda: bool(http.get("/v1/studies").json()["items"]))
            children = psutil.Process(demo.pid).children(recursive=True)
            demo.send_signal(signal.SIGINT)
            assert demo.wait(PATIENCE) == 130
        finally:
            demo.kill()
    _, left = psutil.wait_procs(children, timeout=PATIENCE)
    assert children
    assert not left
    assert "Traceback" not in (out / "service" / "service.log").read_text()
