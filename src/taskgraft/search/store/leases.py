"""Studies as runners see them: a study is worked on by the one runner that holds its lease."""

import time
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, and_, case, not_, or_, select, update

from taskgraft.errors import InvalidInput
from taskgraft.search.store.datasets import waits_for_data
from taskgraft.search.store.rows import from_progress, from_result, from_running, has_id, no_study, to_study
from taskgraft.search.store.studies import StudyTable, next_state
from taskgraft.search.store.tables import studies
from taskgraft.search.study.result import Result
from taskgraft.search.study.states import TRANSITIONS, Stage, State
from taskgraft.search.study.study import Progress, RunningTrial, Study

_START = MappingProxyType({State.QUEUED: State.RUNNING, State.PAUSED: State.RUNNING})
_RELEASE = MappingProxyType({State.RUNNING: State.QUEUED})
_WAITING = (State.QUEUED, State.RUNNING, State.CANCELLING)
"""States that need a runner: a new one, or one whose runner is gone."""
_ENDS = frozenset({State.QUEUED, State.PAUSED, State.SUCCEEDED, State.FAILED, State.CANCELLED})


class LeaseTable(StudyTable):
    """The studies of one database with their leases.

    A lease ends at a time of the wall clock (UTC) of the process that took it; machines that share a database keep
    their clocks within a few seconds of each other, and leases much longer than that. A runner whose lease ran out
    keeps the study until another one takes it.
    """

    def acquire(self, owner: str, lease_seconds: float) -> Study | None:
        """Take the oldest study that waits: queued, or running or cancelling under a lease that ran out.

        A study whose datasets are still being checked waits for them. No two callers ever get the same one. ``owner``
        names the runner and is unique to it.
        """
        now = time.time()
        waits = and_(studies.c.state.in_(_WAITING), _is_free(now), not_(waits_for_data()))
        oldest = select(studies.c.id).where(waits).order_by(studies.c.id).limit(1).with_for_update(skip_locked=True)
        statement = (
            update(studies)
            .where(studies.c.id == oldest.scalar_subquery(), waits)
            .values(_taken(owner, now, lease_seconds))
            .returning(*studies.c)
        )
        with self._database.begin() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else to_study(row)

    def acquire_study(self, study_id: str, owner: str, lease_seconds: float) -> Study:
        """Take this study, from ``paused`` too.

        Raises:
            NotFound: no study has this id.
            Conflict: another runner holds it, or nothing is left to do.
        """
        now = time.time()
        condition = and_(studies.c.state.in_((*_WAITING, State.PAUSED)), or_(_is_free(now), studies.c.owner == owner))
        rule = "only one that is not final and that no other runner holds may be taken"
        return self._change(study_id, condition, _taken(owner, now, lease_seconds), rule)

    def renew(
        self,
        study_id: str,
        owner: str,
        lease_seconds: float,
        *,
        stage: Stage | None = None,
        progress: Progress | None = None,
        running: Sequence[RunningTrial] | None = None,
    ) -> State:
        """Hold on to a study, and say how far it is (None leaves what was said before).

        Returns the present state: if it is no longer ``running``, a user wants the runner to stop.

        Raises:
            NotFound: the study was deleted.
            Conflict: the lease was lost to another runner.
        """
        now = time.time()
        values = {
            "lease_until": now + lease_seconds,
            "stage": stage,
            "progress": progress and from_progress(progress),
            "running": None if running is None else from_running(running),
        }
        known = {name: value for name, value in values.items() if value is not None}
        return self._as_owner(study_id, owner, known | _busy_until(now) | {"renewed_at": now}).state

    def set_facts(self, study_id: str, owner: str, facts: Mapping[str, Any]) -> Study:
        """Keep what was found true when the study first started.

        Raises:
            NotFound: the study was deleted.
            Conflict: the lease was lost to another runner.
        """
        return self._as_owner(study_id, owner, {"facts": dict(facts)})

    def finish(
        self,
        study_id: str,
        owner: str,
        state: State,
        *,
        reason: str | None = None,
        result: Result | None = None,
        tree: Mapping[str, Any] | None = None,
    ) -> Study:
        """End the work on a study in a final state, or leave it ``paused`` or ``queued``; the lease ends with it.

        A ``result`` or ``tree`` of None leaves the stored one.

        Raises:
            InvalidInput: ``running`` and ``cancelling`` end nothing.
            NotFound: the study was deleted.
            Conflict: the present state does not lead there (a user may have paused or cancelled it), or the lease was
                lost to another runner.
        """
        if state not in _ENDS:
            raise InvalidInput.at("state", f"work on a study ends as {', '.join(sorted(_ENDS))}; got {state}")
        found = {"result": result and from_result(result), "tree": tree and dict(tree)}
        values = {name: value for name, value in found.items() if value is not None}
        before = {source for source, targets in TRANSITIONS.items() if state in targets} | {state}
        return self._as_owner(study_id, owner, values | {"state": state, "reason": reason} | _let_go(), before)

    def release(self, study_id: str, owner: str) -> Study:
        """Let go of a study as it is: what a user made of it stays, a running one goes back to the queue.

        Raises:
            NotFound: the study was deleted.
            Conflict: the lease was lost to another runner.
        """
        return self._as_owner(study_id, owner, {"state": next_state(_RELEASE)} | _let_go())

    def busy_seconds(self, study_id: str) -> float:
        """Return how long runners have held the study, all of them together, up to the last renewal.

        Raises:
            NotFound: no study has this id.
        """
        query = select(studies.c.busy_seconds).where(has_id(study_id))
        with self._database.begin() as connection:
            seconds: float | None = connection.execute(query).scalar()
        if seconds is None:
            raise no_study(study_id)
        return seconds

    def _as_owner(
        self, study_id: str, owner: str, values: Mapping[str, Any], states: Collection[State] = tuple(State)
    ) -> Study:
        condition = and_(studies.c.owner == owner, studies.c.state.in_(states))
        rule = f"{owner} no longer holds it, or it is not {' or '.join(sorted(states))}"
        return self._change(study_id, condition, values, rule)


def _is_free(now: float) -> ColumnElement[bool]:
    return or_(studies.c.lease_until.is_(None), studies.c.lease_until < now)


def _taken(owner: str, now: float, lease_seconds: float) -> dict[str, Any]:
    return {
        "state": next_state(_START),
        "owner": owner,
        "lease_until": now + lease_seconds,
        "renewed_at": now,
        "reason": None,
        "running": None,
        "takeovers": studies.c.takeovers + case((_is_left_behind(owner), 1), else_=0),
    }


def _is_left_behind(owner: str) -> ColumnElement[bool]:
    """Return whether another runner held the study, and did not let go of it."""
    return and_(studies.c.owner.is_not(None), studies.c.owner != owner)


def _let_go() -> dict[str, Any]:
    return _busy_until(time.time()) | {"owner": None, "lease_until": None, "renewed_at": None, "running": None}


def _busy_until(now: float) -> dict[str, Any]:
    """Count the time since the last renewal; a clock that was set back adds nothing."""
    return {
        "busy_seconds": studies.c.busy_seconds
        + case((studies.c.renewed_at < now, now - studies.c.renewed_at), else_=0.0)
    }
