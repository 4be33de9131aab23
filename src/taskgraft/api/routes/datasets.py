"""Datasets: register a manifest, upload a zip, look, delete."""

from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from taskgraft.api.context import PAGE, SettingsDep, StoreDep, TokenDep, problems
from taskgraft.api.dataset_schemas import DatasetPageView, DatasetView
from taskgraft.api.roots import resolve_manifest, signature
from taskgraft.api.uploads import Upload, receiving
from taskgraft.errors import Conflict, NotFound
from taskgraft.evaluators.datasets.registry import KNOWN, known_datasets
from taskgraft.search.study.dataset import Dataset, Registered, check_name
from taskgraft.space.tasks import NAME_PATTERN, NAME_RULE

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], responses=problems(422, 503))

_ZIP = "application/zip"
_BLOCK = 1 << 20
"""Bytes that are collected before a thread writes them."""
_SAME: dict[int | str, dict[str, Any]] = {
    200: {"model": DatasetView, "description": "the newest version has this very content"}
}
_BODY = {
    "requestBody": {"required": True, "content": {_ZIP: {"schema": {"type": "string", "format": "binary"}}}},
}
DatasetName = Annotated[str, Path(description=NAME_RULE, json_schema_extra={"pattern": NAME_PATTERN})]


class Registration(BaseModel):
    """A manifest to register."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description=NAME_RULE, examples=["kitchen"], json_schema_extra={"pattern": NAME_PATTERN})
    manifest: str = Field(
        min_length=1,
        max_length=4096,
        description="its path, or that of a folder that holds one or is a copy of a known corpus: "
        "relative to a root of the service, or inside one",
    )


@router.post("", status_code=202, responses=_SAME | problems(400, 408, 413, 415, 429))
def register_dataset(
    body: Registration, request: Request, response: Response, store: StoreDep, settings: SettingsDep, token: TokenDep
) -> DatasetView:
    """Register a manifest under an allowed root; it is checked in the background. Its files stay where they are."""
    name = check_name(body.name)
    manifest = resolve_manifest(body.manifest, settings.datasets_root)
    added = store.datasets.add(name, Registered(str(manifest)), signature(manifest), token=token)
    return _answer(request, response, *added)


@router.put("/{name}", status_code=202, responses=_SAME | problems(400, 408, 413, 415, 429), openapi_extra=_BODY)
async def upload_dataset(
    name: DatasetName, request: Request, response: Response, store: StoreDep, settings: SettingsDep, token: TokenDep
) -> DatasetView:
    """Upload clips, a manifest and perhaps `segments.csv` as one zip; it is unpacked and checked in the background."""
    check_name(name)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _ZIP:
        raise HTTPException(415, f"the body is a zip: send it with Content-Type: {_ZIP}")
    if token is not None:
        announced = request.headers.get("content-length", "0")
        await run_in_threadpool(store.datasets.check_room, name, token, int(announced))
    with receiving(settings.data_dir) as upload:
        try:
            await _receive(request, upload)
        except ClientDisconnect:
            raise HTTPException(400, "the upload was cut off") from None
        added = await run_in_threadpool(upload.finish, name, store, settings.limits, token)
    return _answer(request, response, *added)


async def _receive(request: Request, upload: Upload) -> None:
    block = bytearray()
    async for chunk in request.stream():
        block += chunk
        if len(block) >= _BLOCK:
            await run_in_threadpool(upload.write, bytes(block))
            block.clear()
    await run_in_threadpool(upload.write, bytes(block))


def _answer(request: Request, response: Response, dataset: Dataset, is_new: bool) -> DatasetView:
    response.headers["Location"] = request.app.url_path_for("get_dataset", name=dataset.name)
    response.status_code = 202 if is_new else 200
    return DatasetView.of(dataset)


@router.get("")
def list_datasets(
    store: StoreDep,
    limit: Annotated[int, Query(description="datasets a page", json_schema_extra=PAGE)] = 100,
    cursor: Annotated[str | None, Query(description="the `next_cursor` of the page before")] = None,
) -> DatasetPageView:
    """List datasets by name, each in its newest version; those that Taskgraft makes itself come first."""
    page = store.datasets.page(limit, cursor)
    known = [DatasetView.known(name, KNOWN[name].report()) for name in known_datasets() if cursor is None]
    items = known + [DatasetView.of(dataset) for dataset in page.items]
    return DatasetPageView(items=items, next_cursor=page.next_cursor)


@router.get("/{name}", responses=problems(404))
def get_dataset(
    name: DatasetName,
    store: StoreDep,
    version: Annotated[int | None, Query(description="by default the newest", ge=1, lt=2**31)] = None,
) -> DatasetView:
    """Return one dataset: how far its check is, what it holds, what is wrong with it."""
    if name in KNOWN:
        if version not in (None, 1):
            raise NotFound(f"there is no dataset {name!r} with version {version}")
        return DatasetView.known(name, KNOWN[name].report())
    return DatasetView.of(store.datasets.get(name, version))


@router.delete("/{name}", status_code=204, responses=problems(404, 409))
def delete_dataset(
    name: DatasetName, store: StoreDep, settings: SettingsDep, token: TokenDep, later: BackgroundTasks
) -> None:
    """Delete all versions of a dataset, and what was uploaded; registered files stay."""
    if name in KNOWN:
        raise Conflict(f"{name} is Taskgraft's own and can't be deleted")
    for source in store.datasets.delete(name, token):
        later.add_task(source.remove, settings.data_dir)  # many files take longer than anybody should wait
