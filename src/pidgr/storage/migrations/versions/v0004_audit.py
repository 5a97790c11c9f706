"""The audit trail, append-only."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_REFUSAL = "the audit trail is append-only"

_SQLITE_TRIGGERS = (
    f"""
    create trigger audit_event_update before update on audit_event
    begin
      select raise(abort, '{_REFUSAL}');
    end
    """,
    f"""
    create trigger audit_event_delete before delete on audit_event
    when not exists (
      select 1 from audit_door d
      where d.organization_key = old.organization_key
    )
    begin
      select raise(abort, '{_REFUSAL}');
    end
    """,
)
_POSTGRESQL_TRIGGERS = (
    f"""
    create function audit_event_refuse() returns trigger language plpgsql as $$
    begin
      if tg_op = 'DELETE' then
        if exists (
          select 1 from audit_door d
          where d.organization_key = old.organization_key
        ) then
          return old;
        end if;
      end if;
      raise exception '{_REFUSAL}' using errcode = 'restrict_violation';
    end
    $$
    """,
    """
    create trigger audit_event_change before update or delete on audit_event
    for each row execute function audit_event_refuse()
    """,
    """
    create trigger audit_event_truncate before truncate on audit_event
    for each statement execute function audit_event_refuse()
    """,
)


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "audit_event",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("event_type", sa.SmallInteger(), nullable=False),
        sa.Column("event_class", sa.SmallInteger(), nullable=False),
        sa.Column("actor_kind", sa.SmallInteger(), nullable=False),
        sa.Column("actor_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("entity_type", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("entity_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("request_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("synthetic", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_audit_event")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_audit_event_organization_key_created_at",
        "audit_event",
        ["organization_key", "created_at", "key"],
    )
    op.create_index(
        "ix_audit_event_type",
        "audit_event",
        ["organization_key", "event_type", "created_at", "key"],
    )
    op.create_index(
        "ix_audit_event_actor",
        "audit_event",
        ["organization_key", "actor_id", "created_at", "key"],
    )
    op.create_table(
        "audit_door",
        sa.Column(
            "organization_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("organization_key", name=op.f("pk_audit_door")),
        sqlite_with_rowid=False,
    )
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for trigger in _SQLITE_TRIGGERS if on_sqlite else _POSTGRESQL_TRIGGERS:
        op.execute(trigger)
