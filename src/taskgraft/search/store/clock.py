"""The clock of the database: the one that leases and signs of life are told by.

The clocks of the machines that share a database may differ by any amount, and each may be set at any time.
"""

from typing import Any

from sqlalchemy import Connection, Float, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import FunctionElement


class now(FunctionElement[float]):  # noqa: N801  # reads like the functions of `sqlalchemy.func`
    """Seconds since 1970, as the database counts them when it comes to this expression."""

    type = Float(53)
    inherit_cache = True


@compiles(now, "postgresql")
def _on_postgresql(element: now, compiler: Any, **options: Any) -> str:
    # `now()` would be the time at which the transaction began.
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


@compiles(now, "sqlite")
def _on_sqlite(element: now, compiler: Any, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


def read_clock(connection: Connection) -> float:
    """Return the seconds since 1970 by the clock of the database."""
    return float(connection.execute(select(now())).scalar_one())
