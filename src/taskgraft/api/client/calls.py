"""Every call of the service: a function that says what to send and how to read the response.

To add one, write a function here and name it in `taskgraft.api.client.operations`; both clients have it then.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from taskgraft.api.client.call import JSON, Call, as_items, as_json, as_nothing, as_page, as_text, path
from taskgraft.api.schemas import MatrixView
from taskgraft.space.matrix import ReductionMatrix

_TRIALS = 500


def create_study(spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Call[JSON]:
    """Queue a study, given as plain data; the same key with the same data returns the first study again."""
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    return Call("POST", path("studies"), as_json, json=spec, headers=headers)


def plan(spec: Mapping[str, Any]) -> Call[JSON]:
    """Return what a study would cost; nothing is queued."""
    return Call("POST", path("studies"), as_json, {"dry_run": True}, json=spec)


def create_tree(study_id: str, ar_threshold: float, *, idempotency_key: str | None = None) -> Call[JSON]:
    """Queue a study that trains and verifies the tree of another threshold, from what this study has found."""
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    return Call(
        "POST", path("studies", study_id, "trees"), as_json, json={"ar_threshold": ar_threshold}, headers=headers
    )


def create_comparison(
    study_id: str,
    systems: Sequence[str] = ("all",),
    *,
    seeds: int | None = None,
    group_budget: int | None = None,
    nuisance: str | None = None,
    nuisance_dataset: str | None = None,
    idempotency_key: str | None = None,
) -> Call[JSON]:
    """Queue a comparison of a study that has succeeded with other systems; it is a study of its own.

    ``nuisance`` is the label column that the row `adversarial` trains against, and ``nuisance_dataset`` its dataset, if
    the study has several.
    """
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    label = {"nuisance": nuisance, "nuisance_dataset": nuisance_dataset}
    asked = {"systems": list(systems), "seeds": seeds, "group_budget": group_budget, **label}
    return Call("POST", path("studies", study_id, "comparisons"), as_json, json=asked, headers=headers)


def plan_comparison(
    study_id: str,
    systems: Sequence[str] = ("all",),
    *,
    seeds: int | None = None,
    nuisance: str | None = None,
    nuisance_dataset: str | None = None,
) -> Call[JSON]:
    """Return what a comparison would cost, and which systems have no row; nothing is queued."""
    asked = {"systems": list(systems), "seeds": seeds, "nuisance": nuisance, "nuisance_dataset": nuisance_dataset}
    return Call("POST", path("studies", study_id, "comparisons"), as_json, {"dry_run": True}, json=asked)


def comparison_page(study_id: str, cursor: str | None) -> Call[tuple[list[JSON], str | None]]:
    """Return one page of the comparisons of a study, oldest first, and the cursor of the next page."""
    return Call("GET", path("studies", study_id, "comparisons"), as_page, {"cursor": cursor})


def study(study_id: str) -> Call[JSON]:
    """Return one study."""
    return Call("GET", path("studies", study_id), as_json)


def study_page(state: str | None, cursor: str | None) -> Call[tuple[list[JSON], str | None]]:
    """Return one page of studies, newest first, and the cursor of the next page."""
    return Call("GET", path("studies"), as_page, {"state": state, "cursor": cursor})


def cancel(study_id: str) -> Call[JSON]:
    """Stop a study for good."""
    return Call("POST", path("studies", study_id, "cancel"), as_json)


def pause(study_id: str) -> Call[JSON]:
    """Stop a study for now; what it measured is kept."""
    return Call("POST", path("studies", study_id, "pause"), as_json)


def resume(study_id: str) -> Call[JSON]:
    """Queue a paused study again."""
    return Call("POST", path("studies", study_id, "resume"), as_json)


def delete(study_id: str) -> Call[None]:
    """Delete a study, its trials and its model."""
    return Call("DELETE", path("studies", study_id), as_nothing)


def trial_page(study_id: str, cursor: str | None) -> Call[tuple[list[JSON], str | None]]:
    """Return one page of the trainings that ended, and the cursor of the next page."""
    return Call("GET", path("studies", study_id, "trials"), as_page, {"cursor": cursor, "limit": _TRIALS})


def trial(study_id: str, number: int) -> Call[JSON]:
    """Return one training: its learning curve, the metrics of its baselines, and counts of confusions."""
    return Call("GET", path("studies", study_id, "trials", str(number)), as_json)


def tradeoff(study_id: str) -> Call[JSON]:
    """Return every threshold at which the tree of a study that has succeeded changes."""
    return Call("GET", path("studies", study_id, "tradeoff"), as_json)


def matrix(study_id: str) -> Call[JSON]:
    """Return the reduction matrix as far as it is known, as the service gives it."""
    return Call("GET", path("studies", study_id, "matrix"), as_json)


def matrix_csv(study_id: str) -> Call[str]:
    """Return the reduction matrix as CSV, as `ReductionMatrix.from_csv` reads it."""
    return Call("GET", path("studies", study_id, "matrix"), as_text, {"format": "csv"})


def reduction_matrix(study_id: str) -> Call[ReductionMatrix]:
    """Return the reduction matrix as a value: for `to_records`, and for `synthesize` at another threshold."""
    return Call("GET", path("studies", study_id, "matrix"), _as_matrix)


def _as_matrix(response: httpx.Response) -> ReductionMatrix:
    return MatrixView.model_validate_json(response.content).to_matrix()


def tree(study_id: str, ar_threshold: float | None = None) -> Call[JSON]:
    """Return the study's tree; at another threshold, the one that the stored matrix gives."""
    return Call("GET", path("studies", study_id, "tree"), as_json, {"ar_threshold": ar_threshold})


def tree_svg(study_id: str, ar_threshold: float | None = None) -> Call[str]:
    """Return the tree as a picture (SVG)."""
    params = {"ar_threshold": ar_threshold, "format": "svg"}
    return Call("GET", path("studies", study_id, "tree"), as_text, params)


def artifacts(study_id: str) -> Call[list[JSON]]:
    """Return the files of the bundle: name, bytes, SHA-256."""
    return Call("GET", path("studies", study_id, "artifacts"), as_items)


def labels(study_id: str) -> Call[JSON]:
    """Return what the outputs of a delivered model mean, by task (``labels.json`` of the bundle)."""
    return Call("GET", path("studies", study_id, "artifacts", "labels.json"), as_json)


def model(study_id: str) -> Call[httpx.Response]:
    """Return the response that holds the bundle as one zip; both clients stream it to disk."""
    return Call("GET", path("studies", study_id, "model"), lambda response: response)


def dataset_page(cursor: str | None) -> Call[tuple[list[JSON], str | None]]:
    """Return one page of datasets by name, and the cursor of the next page."""
    return Call("GET", path("datasets"), as_page, {"cursor": cursor})


def dataset(name: str, version: int | None = None) -> Call[JSON]:
    """Return a dataset in its newest version, or in another one: its state, columns, events and faults."""
    return Call("GET", path("datasets", name), as_json, {"version": version})


def register_dataset(name: str, manifest: str) -> Call[JSON]:
    """Register a manifest by its path under a root of the service; it is checked in the background."""
    return Call("POST", path("datasets"), as_json, json={"name": name, "manifest": manifest})


def upload_dataset(name: str) -> Call[JSON]:
    """Upload a dataset as one zip, which both clients stream; it is checked in the background."""
    return Call("PUT", path("datasets", name), as_json, headers={"Content-Type": "application/zip"})


def delete_dataset(name: str) -> Call[None]:
    """Delete a dataset in all versions; files that were registered stay where they are."""
    return Call("DELETE", path("datasets", name), as_nothing)
