"""What a study leaves behind: the files of its bundle, and the bundle as one zip."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response

from taskgraft.api import artifacts
from taskgraft.api.context import FilesDep, StudyDep, problems
from taskgraft.api.schemas import ArtifactList

router = APIRouter(prefix="/v1/studies/{study_id}", tags=["files"], responses=problems(404, 503))


def _schema(media_type: str) -> dict[str, Any]:
    return {} if media_type == "application/json" else {"type": "string", "format": "binary"}


def _file(*media_types: str) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": _schema(media_type)} for media_type in media_types}
    return {
        200: {"description": "the bytes; `ETag` and `Repr-Digest` hold their SHA-256", "content": content},
        206: {"description": "the bytes of the `Range` asked for", "content": content},
        304: {"description": "the client has it (`If-None-Match`)"},
        **problems(400, 416),
    }


@router.get("/artifacts")
def list_artifacts(files: FilesDep, request: Request) -> ArtifactList:
    """The files of the bundle; none before the export is done."""
    return ArtifactList(
        items=[artifacts.view(path, f"{request.url.path}/{path.name}") for path in artifacts.files_in(files)]
    )


@router.head("/artifacts/{name}", include_in_schema=False)
@router.get("/artifacts/{name}", response_class=Response, responses=_file(*artifacts.MEDIA_TYPES))
def get_artifact(name: Annotated[str, Path(examples=["model.onnx"])], files: FilesDep, request: Request) -> Response:
    """One file of the bundle."""
    path = artifacts.find(files, name)
    return artifacts.respond(request, path, path.name)


@router.head("/model", include_in_schema=False)
@router.get("/model", response_class=Response, responses=_file(artifacts.media_type("model.zip")))
def get_model(study: StudyDep, files: FilesDep, request: Request) -> Response:
    """The whole bundle as one zip."""
    return artifacts.respond(request, artifacts.bundle(files), f"{study.spec.name}.zip")
