"""The store's own tables; names start with ``taskgraft_``, since Optuna's tables lie beside them without a prefix."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Enum,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

from taskgraft.search.study.dataset import DatasetState
from taskgraft.search.study.states import Stage, State
from taskgraft.search.study.token import Scope


def utc_now() -> datetime:
    """Return the wall clock of this process, with its time zone."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time; SQLite has no time zones, so it keeps UTC there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: D102
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: D102
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def _words(kind: type[State] | type[Stage] | type[DatasetState] | type[Scope]) -> Enum:
    return Enum(kind, native_enum=False, length=16, values_callable=lambda words: [word.value for word in words])


_ID = String(16).with_variant(String(16, collation="C"), "postgresql")
"""Compared byte by byte everywhere: a server's language must not change the order of ids."""
_NAME = String(64).with_variant(String(64, collation="C"), "postgresql")
_PLAIN = JSON(none_as_null=True)

metadata = MetaData()

studies = Table(
    "taskgraft_studies",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("idempotency_key", String(255), unique=True),
    Column("spec", _PLAIN, nullable=False),
    Column("state", _words(State), nullable=False),
    Column("created_at", UtcDateTime, nullable=False, default=utc_now),
    Column("updated_at", UtcDateTime, nullable=False, default=utc_now, onupdate=utc_now),
    Column("stage", _words(Stage)),
    Column("progress", _PLAIN),
    Column("running", _PLAIN),
    # JSON and not text: a reason may quote a NUL or half a surrogate pair, which PostgreSQL's text refuses.
    Column("reason", _PLAIN),
    Column("result", _PLAIN),
    Column("tree", _PLAIN),
    Column("facts", _PLAIN),
    Column("owner", String(255)),
    # How often it was taken: what is written under an earlier epoch is refused.
    Column("epoch", Integer, nullable=False, default=0, server_default="0"),
    # Seconds since 1970 and not points in time: both databases can compute with them.
    Column("lease_until", Float(53)),
    Column("renewed_at", Float(53)),
    Column("busy_seconds", Float(53), nullable=False, default=0.0),
    # A plain text: a study outlives the one that it was derived from.
    Column("parent", _ID),
    # The token that made it; those are never deleted.
    Column("made_by", _ID),
    # How often a runner took the study from one that was gone.
    Column("takeovers", Integer, nullable=False, default=0, server_default="0"),
    Index("taskgraft_studies_by_state", "state", "id"),
    Index("taskgraft_studies_by_maker", "made_by", "state"),
    Index("taskgraft_studies_by_parent", "parent", "id"),
)

trials = Table(
    "taskgraft_trials",
    metadata,
    Column("study_id", _ID, ForeignKey(studies.c.id, ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True),
)
"""Which trainings a study has recorded, by SHA-256 of their keys. The trials are in Optuna's tables, which would take
the same training twice. Trials from before there was this table are not in it."""

trainings = Table(
    "taskgraft_trainings",
    metadata,
    Column("study_id", _ID, ForeignKey("taskgraft_studies.id", ondelete="CASCADE"), primary_key=True),
    Column("digest", String(64), primary_key=True),
    Column("origin", _ID, nullable=False),
    Column("key", Text, nullable=False),
    Column("steps_left", Integer, nullable=False),
    Column("measurement", LargeBinary, nullable=False),
    Index("taskgraft_trainings_by_digest", "digest"),
)

runners = Table(
    "taskgraft_runners",
    metadata,
    Column("owner", String(255), primary_key=True),
    Column("seen_at", UtcDateTime, nullable=False),
)

datasets = Table(
    "taskgraft_datasets",
    metadata,
    Column("name", _NAME, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("state", _words(DatasetState), nullable=False),
    Column("source", _PLAIN, nullable=False),
    Column("content", String(64)),
    Column("fingerprint", String(64)),
    Column("report", _PLAIN),
    Column("progress", _PLAIN),
    Column("created_at", UtcDateTime, nullable=False, default=utc_now),
    Column("updated_at", UtcDateTime, nullable=False, default=utc_now, onupdate=utc_now),
    Column("owner", String(255)),
    Column("lease_until", Float(53)),
    Column("made_by", _ID),
    Column("stored_bytes", BigInteger),
    Index("taskgraft_datasets_by_state", "state"),
    Index("taskgraft_datasets_by_maker", "made_by"),
)

study_datasets = Table(
    "taskgraft_study_datasets",
    metadata,
    Column("study_id", _ID, ForeignKey(studies.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", _NAME, primary_key=True),
    Column("version", Integer, nullable=False),
    Index("taskgraft_study_datasets_by_name", "name", "version"),
)
"""Which versions a study uses. A study's facts say the same; here the database can search for it."""

matrices = Table(
    "taskgraft_matrices",
    metadata,
    Column("study_id", _ID, ForeignKey(studies.c.id, ondelete="CASCADE"), primary_key=True),
    Column("trials", Integer, nullable=False),
    Column("matrix", LargeBinary, nullable=False),
)
"""The reduction matrix of each study, after so many trials."""

tradeoffs = Table(
    "taskgraft_tradeoffs",
    metadata,
    Column("study_id", _ID, ForeignKey(studies.c.id, ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("ar_threshold", Float(53), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("encoder_parameters", BigInteger, nullable=False),
    Column("parameters", BigInteger),
    Column("document", LargeBinary, nullable=False),
)
"""The trees of a finished study by threshold, in ascending order; all of them are written at once."""

tokens = Table(
    "taskgraft_tokens",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("name", _NAME, nullable=False),
    Column("scope", _words(Scope), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", UtcDateTime, nullable=False, default=utc_now),
    Column("expires_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("max_queued", Integer),
    Column("max_bytes", BigInteger),
)
"""Rows are never deleted: a service that once asked for a token never opens again by itself."""
