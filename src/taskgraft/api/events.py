"""Server-sent events of a study, worked out from the database: any replica goes on where another one stopped.

An event's id says all that a client has seen: the number of the last trial, and the state and stage that it knows.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, replace
from typing import Any

from fastapi.concurrency import run_in_threadpool

from taskgraft.api.busy import Busy
from taskgraft.api.schemas import TrialView
from taskgraft.errors import InvalidInput, NotFound, Unavailable
from taskgraft.search.evidence.compared import compare_with
from taskgraft.search.store import Store
from taskgraft.search.store.summaries import Standing
from taskgraft.search.study.states import Stage, State

MEDIA_TYPE = "text/event-stream"
_STREAMS = 100
_POLL_SECONDS = 1.0
_SILENCE_SECONDS = 15.0
"""After so long without an event a comment is sent, so that nobody on the way takes the connection for dead."""
_RETRY_MILLISECONDS = 2000
_BATCH = 100
_ID = re.compile(r"(-1|0|[1-9][0-9]{0,17})\.([a-z]*)\.([a-z]*)")


@dataclass(frozen=True, slots=True)
class Position:
    """What a client has seen of a study."""

    number: int = -1
    """Of the last trial."""
    state: State | None = None
    stage: Stage | None = None

    def __str__(self) -> str:
        return f"{self.number}.{self.state or ''}.{self.stage or ''}"

    @classmethod
    def parse(cls, text: str | None) -> "Position":
        """Return the position that an event's id stands for; the start if there is none.

        Raises:
            InvalidInput: at ``Last-Event-ID``: no event had this id.
        """
        if not text:
            return cls()
        found = _ID.fullmatch(text)
        try:
            number, state, stage = found.groups() if found else ("", "", "")
            return cls(int(number), State(state) if state else None, Stage(stage) if stage else None)
        except ValueError:
            raise InvalidInput.at("Last-Event-ID", f"the id of an event of this study; got {text!r:.80}") from None

    def is_at(self, standing: Standing) -> bool:
        """Return whether this is known of where the study stands."""
        return (self.state, self.stage) == (standing.state, standing.stage)


@dataclass(frozen=True, slots=True)
class Event:
    """An event, and where a client is that has seen it."""

    name: str
    data: Any
    position: Position

    def __str__(self) -> str:
        body = json.dumps(self.data, separators=(",", ":"))
        return f"event: {self.name}\nid: {self.position}\ndata: {body}\n\n"


@dataclass(frozen=True, slots=True)
class Batch:
    """What a client has not seen yet."""

    events: tuple[Event, ...]
    has_more: bool = False
    is_last: bool = False


def read_batch(store: Store, study_id: str, position: Position, errors: Collection[str]) -> Batch:
    """Return what comes behind a position; ``errors`` are the tasks whose metric is better if it is lower.

    A study that is final has no further trials. One that was deleted has a last event that says so.
    """
    try:
        standing = store.summaries.standing(study_id)  # before the trials: a final study has all of them then
        page = store.trials.page(study_id, position.number, _BATCH)
    except NotFound:
        return Batch((Event("deleted", {"id": study_id}, position),), is_last=True)
    events = []
    for trial in page.items:
        position = replace(position, number=trial.number)
        shown = TrialView.of(compare_with(trial, page.baselines, errors)).model_dump(mode="json")
        events.append(Event("trial", shown, position))
    has_more = page.next_after is not None
    if not has_more and not position.is_at(standing):
        position = replace(position, state=standing.state, stage=standing.stage)
        events.append(Event("study", _shown(study_id, standing), position))
    return Batch(tuple(events), has_more, standing.state.is_final and not has_more)


def _shown(study_id: str, standing: Standing) -> dict[str, Any]:
    return {"id": study_id, "state": standing.state, "stage": standing.stage, "reason": standing.reason}


class Streams:
    """The event streams of one service; ``closing`` ends them all."""

    def __init__(self, store: Store, closing: asyncio.Event, most: int = _STREAMS, poll: float = _POLL_SECONDS) -> None:
        self._store = store
        self._closing = closing
        self._most = most
        self._poll = poll
        self._open = 0

    async def start(self, study_id: str, position: Position, errors: Collection[str]) -> AsyncIterator[str] | None:
        """Return the events behind a position, as text; None if there will never be any.

        Raises:
            Busy: too many streams are open.
        """
        if self._open >= self._most:
            raise Busy(f"{self._most} event streams are open already")
        if position.state is not None and position.state.is_final:
            batch = await run_in_threadpool(read_batch, self._store, study_id, position, errors)
            if batch.is_last and not batch.events:
                return None
        return self._follow(study_id, position, errors)

    async def _follow(self, study_id: str, position: Position, errors: Collection[str]) -> AsyncIterator[str]:
        self._open += 1
        try:
            yield f"retry: {_RETRY_MILLISECONDS}\n\n"
            spoken = time.monotonic()
            while not self._closing.is_set():
                batch = await self._next(study_id, position, errors)
                for event in batch.events:
                    yield str(event)
                    position, spoken = event.position, time.monotonic()
                if batch.is_last:
                    return
                if time.monotonic() - spoken > _SILENCE_SECONDS:
                    yield ": still here\n\n"
                    spoken = time.monotonic()
                if not batch.has_more:
                    await self._rest()
        finally:
            self._open -= 1

    async def _next(self, study_id: str, position: Position, errors: Collection[str]) -> Batch:
        """Return what comes next; a database that does not answer is asked again."""
        try:
            return await run_in_threadpool(read_batch, self._store, study_id, position, errors)
        except Unavailable:
            return Batch(())

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), self._poll)
        except TimeoutError:
            return
