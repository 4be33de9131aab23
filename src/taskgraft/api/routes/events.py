"""The events of a study as they happen."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from starlette.responses import StreamingResponse

from taskgraft.api.context import StreamsDep, StudyDep, problems
from taskgraft.api.events import MEDIA_TYPE, Position

router = APIRouter(prefix="/v1/studies/{study_id}", tags=["results"], responses=problems(404, 422, 503))

_EVENT: dict[str, Any] = {
    "type": "object",
    "description": "one event",
    "properties": {name: {"type": "string"} for name in ("event", "id", "data")},
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "server-sent events: `trial` for each training that ended, `study` whenever its state or stage "
        "is another one, `deleted` if the study was deleted. The stream ends when the study is final",
        "content": {MEDIA_TYPE: {"schema": _EVENT}},
    },
    204: {"description": "the study is final, and the client has seen all of it"},
}
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("/events", response_class=Response, responses=_EVENTS)
async def stream_events(
    study: StudyDep,
    streams: StreamsDep,
    last_event_id: Annotated[str | None, Header(description="the id of the last event seen; all without")] = None,
) -> Response:
    """Follow a study: what has happened so far, then what happens, each once.

    With `Last-Event-ID`, go on behind that event: trials are complete, states in between may be left out. Every replica
    of the service knows every id.
    """
    events = await streams.start(study.id, Position.parse(last_event_id), study.spec.errors)
    if events is None:
        return Response(status_code=204)
    return StreamingResponse(events, media_type=MEDIA_TYPE, headers=_HEADERS)
