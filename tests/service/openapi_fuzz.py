"""A real service against schemathesis, which makes requests up from the OpenAPI document and judges the answers.

The long form, some minutes of both cores; exit code 0 without a finding:

    python -m tests.service.openapi_fuzz --examples 200
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from taskgraft.api.app import create_app
from taskgraft.api.settings import Settings
from taskgraft.search.store import Store
from taskgraft.search.study.token import Scope
from tests.api.conftest import Api, serving, write_corpus
from tests.api.test_http_comparisons import finish

_HERE = Path(__file__).parent
_HEARTBEAT_SECONDS = 5.0
_PATIENCE = 120
"""Seconds for an answer, on a machine that does other things too."""
SHORT = ("--phases", "examples,fuzzing")
ALL = ("--phases", "examples,coverage,fuzzing,stateful")


def fuzz(examples: int, options: Sequence[str] = ALL, with_token: bool = False) -> subprocess.CompletedProcess[str]:
    """Return how a run of schemathesis against a new service ended."""
    with tempfile.TemporaryDirectory() as folder, _service(Path(folder)) as (api, study_id):
        headers = []
        if with_token:
            headers = ["--header", f"Authorization: Bearer {api.store.tokens.create('fuzz', Scope.ADMIN)[1]}"]
        command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={_HERE / 'schemathesis.toml'}", "run"]
        command += [f"{api.url}/openapi.json", f"--max-examples={examples}", f"--request-timeout={_PATIENCE}"]
        command += [*options, *headers]
        more = {"SCHEMATHESIS_HOOKS": "tests.service.schemathesis_hooks", "PYTHONPATH": os.pathsep.join(sys.path)}
        more["FUZZED_STUDY"] = study_id
        return subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | more, cwd=folder)


@contextmanager
def _service(folder: Path) -> Iterator[tuple[Api, str]]:
    """A service with the heartbeat of a runner, and its study that has succeeded."""
    write_corpus(folder)
    settings = Settings(data_dir=folder, datasets_root=(folder,))
    ended = threading.Event()

    def beat() -> None:
        while True:
            store.record_heartbeat("runner")
            if ended.wait(_HEARTBEAT_SECONDS):
                return

    with (
        serving(create_app(settings)) as url,
        Store(settings.database_url) as store,
        httpx.Client(base_url=url) as http,
    ):
        api = Api(url, http, store, settings)
        study_id = finish(api)
        api.offer(study_id, {"tree.json": b"{}", "model.onnx": b"no model"})
        heart = threading.Thread(target=beat)
        heart.start()
        try:
            yield api, study_id
        finally:
            ended.set()
            heart.join()


def main() -> int:
    """Run it with and without a token, and show what schemathesis says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200)
    examples = parser.parse_args().examples
    codes = []
    for with_token in (False, True):
        ended = fuzz(examples, with_token=with_token)
        print(f"{'with' if with_token else 'without'} a token:\n{ended.stdout}{ended.stderr}")  # noqa: T201
        codes.append(ended.returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
