"""Studies as runners see them: a study is worked on by the one runner that holds its lease."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, not_, or_, select, update

from taskgraft.errors import Conflict, InvalidInput, NotFound
from taskgraft.search.store.clock import now
from taskgraft.search.store.datasets import waits_for_data
from taskgraft.search.store.holding import is_held, why_not_held
from taskgraft.search.store.rows import SHOWN, from_progress, from_result, from_running, has_id, no_study, to_study
from taskgraft.search.store.studies import StudyTable, next_state
from taskgraft.search.store.tables import studies
from taskgraft.search.study.lease import Held, Lease
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

    A lease ends at a time of the database's clock, whatever the clocks of the machines say. A runner whose lease ran
    out keeps the study until another one takes it; from then on, every write under its lease is refused.
    """

    def acquire(self, owner: str, lease_seconds: float) -> Held | None:
        """Take the oldest study that waits: queued, or running or cancelling under a lease that ran out.

        A study whose datasets are still being checked waits for them. No two callers ever get the same one. ``owner``
        names the runner and is unique to it.
        """
        waits = and_(studies.c.state.in_(_WAITING), _is_free(), not_(waits_for_data()))
        oldest = select(studies.c.id).where(waits).order_by(studies.c.id).limit(1).with_for_update(skip_locked=True)
        statement = (
            update(studies)
            .where(studies.c.id == oldest.scalar_subquery(), waits)
            .values(_taken(owner, lease_seconds))
            .returning(*SHOWN)
        )
        with self._database.begin() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else _to_held(row)

    def acquire_study(self, study_id: str, owner: str, lease_seconds: float) -> Held:
        """Take this study, from ``paused`` too. Its present owner may take it once more, and loses its old lease.

        Raises:
            NotFound: no study has this id.
            Conflict: another runner holds it, or nothing is left to do.
        """
        condition = and_(studies.c.state.in_((*_WAITING, State.PAUSED)), or_(_is_free(), studies.c.owner == owner))
        rule = "only one that is not final and that no other runner holds may be taken"
        return _to_held(self._change_row(study_id, condition, _taken(owner, lease_seconds), rule))

    def check(self, lease: Lease) -> None:
        """Check that a lease is the present one of its study.

        Raises:
            NotFound: the study was deleted.
            LeaseLost: another runner has taken the study, or its owner has let go of it.
        """
        with self._database.begin() as connection:
            if connection.execute(select(studies.c.id).where(is_held(lease))).one_or_none() is None:
                raise why_not_held(connection, lease)

    def renew(
        self,
        lease: Lease,
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
            LeaseLost: the lease is not the present one.
        """
        values = {
            "lease_until": now() + lease_seconds,
            "stage": stage,
            "progress": progress and from_progress(progress),
            "running": None if running is None else from_running(running),
        }
        known = {name: value for name, value in values.items() if value is not None}
        return self._as_holder(lease, known | _busy_until_now() | {"renewed_at": now()}).state

    def set_facts(self, lease: Lease, facts: Mapping[str, Any]) -> Study:
        """Keep what was found true when the study first started.

        Raises:
            NotFound: the study was deleted.
            LeaseLost: the lease is not the present one.
        """
        return self._as_holder(lease, {"facts": dict(facts)})

    def finish(
        self,
        lease: Lease,
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
            Conflict: the present state does not lead there: a user may have paused or cancelled it.
            LeaseLost: the lease is not the present one.
        """
        if state not in _ENDS:
            raise InvalidInput.at("state", f"work on a study ends as {', '.join(sorted(_ENDS))}; got {state}")
        found = {"result": result and from_result(result), "tree": tree and dict(tree)}
        values = {name: value for name, value in found.items() if value is not None}
        before = {source for source, targets in TRANSITIONS.items() if state in targets} | {state}
        return self._as_holder(lease, values | {"state": state, "reason": reason} | _let_go(), before)

    def release(self, lease: Lease) -> Study:
        """Let go of a study as it is: what a user made of it stays, a running one goes back to the queue.

        Raises:
            NotFound: the study was deleted.
            LeaseLost: the lease is not the present one.
        """
        return self._as_holder(lease, {"state": next_state(_RELEASE)} | _let_go())

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

    def _as_holder(self, lease: Lease, values: Mapping[str, Any], states: Collection[State] = tuple(State)) -> Study:
        condition = and_(is_held(lease), studies.c.state.in_(states))
        statement = update(studies).where(condition).values(values).returning(*SHOWN)
        with self._database.begin() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None:
                raise _refusal(connection, lease, states)
        return to_study(row)


def _refusal(connection: Connection, lease: Lease, states: Collection[State]) -> NotFound | Conflict:
    present = connection.execute(select(studies.c.state).where(is_held(lease))).scalar()
    if present is None:
        return why_not_held(connection, lease)
    rule = f"only one that is {' or '.join(sorted(states))} may end so"
    return Conflict(f"study {lease.study_id} is {present}: {rule}")


def _to_held(row: Row[Any]) -> Held:
    return Held(to_study(row), Lease(row.id, row.owner, row.epoch))


def _is_free() -> ColumnElement[bool]:
    return or_(studies.c.lease_until.is_(None), studies.c.lease_until < now())


def _taken(owner: str, lease_seconds: float) -> dict[str, Any]:
    return {
        "state": next_state(_START),
        "owner": owner,
        "epoch": studies.c.epoch + 1,
        "lease_until": now() + lease_seconds,
        "renewed_at": now(),
        "reason": None,
        "running": None,
        "takeovers": studies.c.takeovers + case((_is_left_behind(owner), 1), else_=0),
    }


def _is_left_behind(owner: str) -> ColumnElement[bool]:
    """Return whether another runner held the study, and did not let go of it."""
    return and_(studies.c.owner.is_not(None), studies.c.owner != owner)


def _let_go() -> dict[str, Any]:
    return _busy_until_now() | {"owner": None, "lease_until": None, "renewed_at": None, "running": None}


def _busy_until_now() -> dict[str, Any]:
    """Count the time since the last renewal; a clock that was set back adds nothing."""
    since = now() - studies.c.renewed_at
    return {"busy_seconds": studies.c.busy_seconds + case((since > 0, since), else_=0.0)}
