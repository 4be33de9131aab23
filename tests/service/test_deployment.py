"""The files that put Taskgraft on other machines: what can be proved of them without an engine."""

import importlib.util
import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskgraft.api.cli.main import app
from taskgraft.api.settings import PREFIX, Settings
from taskgraft.logs import FORMATS

ROOT = Path(__file__).parents[2]
OURS = {"api", "runner", "ray-head", "ray-worker"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return document


def test_every_role_has_a_service(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == OURS | {"postgres"}
    for name in OURS:
        service = compose["services"][name]
        assert (service["build"], service["image"]) == (".", "taskgraft")
        assert service["volumes"] == ["data:/data"]
    assert re.fullmatch(r"postgres:\d+\.\d+(@sha256:[0-9a-f]{64})?", compose["services"]["postgres"]["image"])
    assert set(compose["volumes"]) == {"data", "database"}


def test_every_role_knows_what_it_needs_and_no_more(compose: dict[str, Any]) -> None:
    known = {PREFIX + name.upper() for name in Settings.__dataclass_fields__}
    for name in OURS:
        environment = compose["services"][name]["environment"]
        assert environment["RAY_AUTH_MODE"] == "token"
        assert environment["RAY_AUTH_TOKEN"].startswith("${RAY_AUTH_TOKEN:?")
        assert {key for key in environment if key.startswith(PREFIX)} <= known
        assert ("TASKGRAFT_DATABASE_URL" in environment) is (name in ("api", "runner"))
    url = compose["services"]["api"]["environment"]["TASKGRAFT_DATABASE_URL"]
    settings = Settings.from_environment(environment={"TASKGRAFT_DATABASE_URL": re.sub(r"\$\{.*?\}", "secret", url)})
    assert settings.database_url == "postgresql://taskgraft:secret@postgres/taskgraft"


def test_no_secret_has_a_default(compose: dict[str, Any]) -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{(\w+):\?", text)) == {"POSTGRES_PASSWORD", "RAY_AUTH_TOKEN"}
    assert len(re.findall(r"\$\{", text)) == len(re.findall(r"\$\{\w+:\?", text))


def test_services_wait_for_what_they_need(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert set(service.get("depends_on", ())) <= set(compose["services"]), name
    assert "pg_isready" in " ".join(compose["services"]["postgres"]["healthcheck"]["test"])
    for service in compose["services"].values():
        conditions = {needed["condition"] for needed in service.get("depends_on", {}).values()}
        assert conditions <= {"service_healthy"}
    for name in ("api", "runner"):
        assert "postgres" in compose["services"][name]["depends_on"]


def test_every_service_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service), name
        assert service["pids_limit"] >= 256, name
        assert re.fullmatch(r"\d+g", service["mem_limit"]), name
        assert {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"]), name
        for place in service["tmpfs"]:
            path, _, options = place.partition(":")
            assert Path(path).is_absolute(), name
            assert "size=" in options, name


def test_what_may_be_written_is_memory_or_a_volume(compose: dict[str, Any]) -> None:
    for name in OURS:
        places = [place.partition(":")[0] for place in compose["services"][name]["tmpfs"]]
        assert places == ["/tmp", "/home/taskgraft"]
        assert compose["services"][name]["environment"]["TASKGRAFT_DATA_DIR"] == "/data"
    lines = (ROOT / "Dockerfile").read_text()
    assert "useradd --create-home --uid 1000 taskgraft" in lines
    assert "uid=1000" in compose["services"]["api"]["tmpfs"][1]


def test_nothing_is_published_beyond_this_machine(compose: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8080:8080"]}


def test_only_those_who_need_the_database_reach_it(compose: dict[str, Any]) -> None:
    members = {name for name, service in compose["services"].items() if "storage" in service["networks"]}
    assert members == {"postgres", "api", "runner"}
    assert compose["networks"]["storage"] == {"internal": True}


def test_health_checks_run_what_there_is(compose: dict[str, Any]) -> None:
    """Each is a command of the image: its module can be found, its code compiles, Ray has its command."""
    kind, *command = compose["services"]["runner"]["healthcheck"]["test"]
    assert (kind, command[:2]) == ("CMD", ["python", "-m"])
    assert importlib.util.find_spec(command[2])
    _, python, option, code = compose["services"]["api"]["healthcheck"]["test"]
    assert (python, option) == ("python", "-c")
    compile(code, "healthcheck", "exec")
    for name in ("ray-head", "ray-worker"):
        assert compose["services"][name]["healthcheck"]["test"][:3] == ["CMD", "ray", "health-check"]


def test_commands_are_those_that_there_are(compose: dict[str, Any]) -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    for name in OURS:
        words = shlex.split(" ".join(compose["services"][name]["command"]))
        for word, following in pairwise(words):
            if word == "taskgraft":
                assert following in commands
            if word == "ray":
                assert following == "start"
        assert compose["services"][name]["environment"]["TASKGRAFT_LOG_FORMAT"] in FORMATS
        if name != "api":  # members of a Ray cluster move data through shared memory
            assert compose["services"][name]["shm_size"] == "2gb"


def test_the_image_copies_what_is_there() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    (base,) = (line for line in lines if line.startswith("FROM "))
    assert re.fullmatch(r"FROM python:3\.11\.\d+-slim-bookworm(@sha256:[0-9a-f]{64})?", base)
    sources = [source for line in lines if line.startswith("COPY ") for source in line.split()[1:-1]]
    assert {"pyproject.toml", "src"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
    assert "USER taskgraft" in lines
    environment = {word for line in lines if line.startswith("ENV ") for word in line.split()[1:]}
    assert "TASKGRAFT_DATA_DIR=/data" in environment
    assert lines.index("USER taskgraft") > max(place for place, line in enumerate(lines) if line.startswith("RUN "))
