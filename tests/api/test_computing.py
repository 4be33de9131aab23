"""What is worked out on request: in another process, few at a time, shared, and given up when nobody waits."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from taskgraft.api.busy import Busy
from taskgraft.api.computing import Computations
from taskgraft.errors import Conflict, Unavailable
from taskgraft.search.store import sqlite_url
from tests.api.questions import Deadly, Slow, Wrong

LONG = 60.0

Scenario = Callable[[Computations, Path], Awaitable[None]]


@asynccontextmanager
async def computing(tmp_path: Path, **more: Any) -> AsyncIterator[Computations]:
    computations = Computations(sqlite_url(tmp_path / "store.db"), **more)
    try:
        yield computations
    finally:
        computations.close()


def run(scenario: Scenario, tmp_path: Path, **more: Any) -> list[str]:
    """Run a scenario; returns what the questions have noted."""
    notes = tmp_path / "notes"
    notes.touch()

    async def whole() -> None:
        async with computing(tmp_path, **more) as computations:
            await asyncio.wait_for(scenario(computations, notes), LONG)

    asyncio.run(whole())
    return notes.read_text().splitlines()


async def begun(notes: Path, name: str) -> None:
    while f"{name} begun" not in notes.read_text():
        await asyncio.sleep(0.01)


def test_equal_questions_are_worked_out_once_in_another_process(tmp_path: Path) -> None:
    async def scenario(computations: Computations, notes: Path) -> None:
        asked = [computations.answer(Slow(name, notes, 0.2)) for name in "aabab"]
        answers = await asyncio.gather(*asked)
        assert [name for name, _ in answers] == list("aabab")
        assert {process for _, process in answers} != {os.getpid()}

    assert sorted(run(scenario, tmp_path)) == ["a begun", "a finished", "b begun", "b finished"]


def test_what_nobody_waits_for_is_given_up(tmp_path: Path) -> None:
    async def scenario(computations: Computations, notes: Path) -> None:
        waiting = [asyncio.create_task(computations.answer(Slow("a", notes, LONG))) for _ in range(3)]
        queued = asyncio.create_task(computations.answer(Slow("b", notes, LONG)))
        await begun(notes, "a")
        for task in (*waiting[:2], queued):
            task.cancel()
        await asyncio.sleep(0.2)
        assert not waiting[2].done(), "one still waits"
        waiting[2].cancel()
        assert (await computations.answer(Slow("c", notes)))[0] == "c"

    assert run(scenario, tmp_path) == ["a begun", "c begun", "c finished"]


def test_a_request_waits_only_so_long_and_may_come_back_for_the_answer(tmp_path: Path) -> None:
    async def scenario(computations: Computations, notes: Path) -> None:
        question = Slow("a", notes, 1.0)
        with pytest.raises(Busy, match="ask again in 5 s"):
            await computations.answer(question)
        while True:
            try:
                assert (await computations.answer(question))[0] == "a"
            except Busy:
                continue
            return

    assert run(scenario, tmp_path, patience=0.3).count("a begun") == 1


def test_too_many_questions_are_turned_away(tmp_path: Path) -> None:
    async def scenario(computations: Computations, notes: Path) -> None:
        waiting = [asyncio.create_task(computations.answer(Slow(name, notes, LONG))) for name in "ab"]
        await asyncio.sleep(0)
        with pytest.raises(Busy, match="2 other answers"):
            await computations.answer(Slow("c", notes))
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert (await computations.answer(Slow("c", notes)))[0] == "c"

    assert "b begun" not in run(scenario, tmp_path, waiting=2)


def test_errors_come_through_and_a_process_that_dies_is_replaced(tmp_path: Path) -> None:
    async def scenario(computations: Computations, notes: Path) -> None:
        with pytest.raises(Conflict, match="not now"):
            await computations.answer(Wrong(expected=True))
        with pytest.raises(RuntimeError, match="ZeroDivisionError: a fault"):
            await computations.answer(Wrong(expected=False))
        with pytest.raises(Unavailable, match="stopped"):
            await computations.answer(Deadly())
        assert (await computations.answer(Slow("a", notes)))[0] == "a"

    run(scenario, tmp_path)


def test_whoever_waits_when_the_service_stops_is_told_so(tmp_path: Path) -> None:
    async def scenario(computations: Computations, notes: Path) -> None:
        waiting = [asyncio.create_task(computations.answer(Slow(name, notes, LONG))) for name in "aab"]
        await begun(notes, "a")
        computations.close()
        for error in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(error, Unavailable)
        with pytest.raises(Unavailable, match="stopping"):
            await computations.answer(Slow("c", notes))

    assert run(scenario, tmp_path) == ["a begun"]
