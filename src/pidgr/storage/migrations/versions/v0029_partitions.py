"""Deliveries and their bodies are partitioned on PostgreSQL; SQLite has no partitions."""

from collections.abc import Sequence
from typing import Final

from alembic import op

revision: str = "0029"
down_revision: str | None = "0028"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

# Step runs of one partition have the same number above the lowest 32 bits of their keys.
_END: Final = 1 << 32
_INDEXES: Final = {
    "delivery": {
        "ix_delivery_parent_run_key_parent_ordinal": (
            "(parent_run_key, parent_ordinal) where parent_run_key is not null"
        ),
        "ix_delivery_member_key_changed_at": "(member_key, changed_at)",
        **{
            f"ix_delivery_{moment}": (
                f"(organization_key, {moment}, step_run_key, ordinal) where {moment} is not null"
            )
            for moment in ("read_at", "acted_at")
        },
    },
    "delivery_body": {},
}


def upgrade() -> None:
    """Apply.

    The table that there is becomes the first partition as it is, indexes included: PostgreSQL
    reads it once to see that its keys are within the bounds, and writes nothing.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, indexes in _INDEXES.items():
        first = f"{table}_0"
        op.execute(f"alter table {table} rename to {first}")
        op.execute(f"alter table {first} rename constraint pk_{table} to pk_{first}")
        for name in indexes:
            op.execute(f"alter index {name} rename to {name.replace(table, first, 1)}")
        op.execute(
            f"create table {table} (like {first} including defaults)"
            " partition by range (step_run_key)"
        )
        op.execute(
            f"alter table {table} add constraint pk_{table} primary key (step_run_key, ordinal)"
        )
        for name, definition in indexes.items():
            op.execute(f"create index {name} on {table} {definition}")
        op.execute(
            f"alter table {table} attach partition {first} for values from (minvalue) to ({_END})"
        )
