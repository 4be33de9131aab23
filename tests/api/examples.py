"""Makes ``src/taskgraft/api/examples.json`` of what a service answers:

python -m tests.api.examples > src/taskgraft/api/examples.json
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import httpx

from taskgraft.api.app import create_app
from taskgraft.api.settings import Settings
from taskgraft.search.store import Store
from tests.api.conftest import Api, body, serving, write_corpus
from tests.api.test_http_comparisons import finish

_MOST = 2
"""Items that a list of an example keeps."""
_COMPARED = {"systems": ["independent", "flat", "tree"], "seeds": 1}


def answers(api: Api) -> dict[str, Any]:
    """Return an answer for each schema, and what was asked."""
    study = f"/v1/studies/{finish(api)}"
    api.offer(study.rpartition("/")[2], {"model.onnx": b"onnx", "tree.json": b"{}"})

    def get(path: str) -> Any:
        return api.http.get(path).raise_for_status().json()

    def post(path: str, asked: Any, **query: Any) -> Any:
        return api.http.post(path, json=asked, params=query).raise_for_status().json()

    return {
        "StudySpec": body(),
        "StudyView": get(study),
        "Plan": post("/v1/studies", body(), dry_run=True),
        "StudyPage": get("/v1/studies"),
        "TreeRequest": {"ar_threshold": 0.05},
        "ComparisonRequest": _COMPARED,
        "ComparisonPlan": post(f"{study}/comparisons", _COMPARED, dry_run=True),
        "StudyList": {"items": [post(f"{study}/comparisons", _COMPARED)], "next_cursor": None},
        "TrialListPage": get(f"{study}/trials"),
        "TrialDetail": get(f"{study}/trials/{get(f'{study}/trials')['items'][-1]['number']}"),
        "TradeoffView": get(f"{study}/tradeoff"),
        "MatrixView": get(f"{study}/matrix"),
        "TreeView": get(f"{study}/tree"),
        "ArtifactList": get(f"{study}/artifacts"),
        "DatasetView": get("/v1/datasets/demo-speech"),
        "DatasetPageView": get("/v1/datasets"),
        "Registration": {"name": "kitchen", "manifest": "kitchen/manifest.csv"},
        "TemplateList": get("/v1/templates"),
        "Health": get("/healthz"),
    }


def shortened(value: Any) -> Any:
    """Return the value with short lists of objects."""
    if isinstance(value, dict):
        return {name: shortened(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shortened(inner) for inner in (value[:_MOST] if value and isinstance(value[0], dict) else value)]
    return value


def main() -> None:
    """Print the examples."""
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder))
        settings = Settings(data_dir=Path(folder))
        with (
            serving(create_app(settings)) as url,
            Store(settings.database_url) as store,
            httpx.Client(base_url=url) as http,
        ):
            found = answers(Api(url, http, store, settings))
    asked = {"StudySpec", "TreeRequest", "ComparisonRequest", "Registration"}
    short = {name: value if name in asked else shortened(value) for name, value in sorted(found.items())}
    json.dump(short, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
