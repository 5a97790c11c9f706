"""SQL texts, written once in a portable dialect and compiled per driver when the module loads."""

import re
from typing import Final, Literal

Dialect = Literal["sqlite", "postgresql"]

_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")


class Statement:
    """One SQL statement with ``:name`` parameters, in the form each driver wants.

    ``{for_update}`` becomes a row lock on PostgreSQL and nothing on SQLite, where a write
    transaction is alone anyway. Where the dialects differ otherwise, give both texts.
    """

    __slots__ = ("postgresql", "sqlite")

    def __init__(self, text: str, *, postgresql: str | None = None) -> None:
        self.sqlite: Final = text.replace("{for_update}", "")
        portable = (postgresql if postgresql is not None else text).replace(
            "{for_update}", "for update"
        )
        self.postgresql: Final = _PARAMETER.sub(r"%(\1)s", portable.replace("%", "%%"))

    def text(self, dialect: Dialect) -> str:
        """Return the driver's text of this statement."""
        return self.sqlite if dialect == "sqlite" else self.postgresql


def planned_once(parameter: str) -> str:
    """Return the SQL of a number, by which a partition is found, that keeps a statement's plan.

    With a parameter itself PostgreSQL prefers plans for its value, which have one partition in them
    and are made anew each time: with 24 partitions that took eight times as long as the statement.
    Of a subquery it does not know the value before it runs the plan, and finds the partition then.
    """
    return f"(select cast(:{parameter} as bigint))"
