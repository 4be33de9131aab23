"""Commands on the datasets of a running service: add, list, show, remove."""

# ruff: noqa: PLC0415  # a command imports what it needs when it runs, so that the others and --help start at once
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from taskgraft.api.cli.output import AsJson, console, print_json
from taskgraft.api.cli.remote import DEFAULT_URL, Token, Url, service
from taskgraft.errors import Fault, InvalidInput

if TYPE_CHECKING:
    from taskgraft.api.client import Client

Name = Annotated[str, typer.Argument(help="A dataset's name.", metavar="NAME")]
_POLL_SECONDS = 0.5


def add(
    name: Name,
    path: Annotated[
        Path,
        typer.Argument(help="A manifest, a folder that holds one, a copy of a known corpus, or a zip.", metavar="PATH"),
    ],
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it was checked; exit code 2 if it is broken.")
    ] = False,
    url: Url = DEFAULT_URL,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Give a dataset to a service: registered if the path is under one of its roots, uploaded otherwise."""
    from taskgraft.api.cli.dataset_text import show_dataset_line
    from taskgraft.api.cli.live import counting
    from taskgraft.api.publishing import publish

    with service(url, token, as_json) as client:
        dataset = publish(client, name, path, counting)
        if wait:
            dataset = _checked(client, dataset)
        print_json(dataset) if as_json else show_dataset_line(dataset)


def _checked(client: "Client", dataset: dict[str, Any]) -> dict[str, Any]:
    from taskgraft.api.cli.live import counting

    with counting(f"checking {dataset['name']}", "clips") as progress:
        while dataset["state"] == "checking":
            time.sleep(_POLL_SECONDS)
            dataset = client.dataset(dataset["name"], dataset["version"])
            if done := dataset["progress"]:
                progress(done["done"], done["total"])
    if dataset["state"] == "broken":
        listed = [Fault(fault["where"], fault["message"]) for fault in dataset["faults"]]
        raise InvalidInput(listed, dataset["fault_count"] - len(listed))
    return dataset


def list_all(url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """List the datasets of a service."""
    from taskgraft.api.cli.dataset_text import show_datasets

    with service(url, token, as_json) as client:
        found = list(client.datasets())
        print_json(found) if as_json else show_datasets(found)


def show(name: Name, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Show what a dataset of a service holds, and what is wrong with it."""
    from taskgraft.api.cli.dataset_text import show_dataset

    with service(url, token, as_json) as client:
        dataset = client.dataset(name)
        print_json(dataset) if as_json else show_dataset(dataset)


def remove(name: Name, url: Url = DEFAULT_URL, token: Token = None, as_json: AsJson = False) -> None:
    """Delete a dataset of a service in all versions; registered files stay where they are."""
    with service(url, token, as_json) as client:
        client.delete_dataset(name)
        print_json({"deleted": name}) if as_json else console.print("deleted")
