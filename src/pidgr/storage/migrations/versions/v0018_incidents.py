"""Signs that a secret of somebody's is in other hands."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "security_incident",
        sa.Column("key", _BIG, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("detected_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_security_incident_organization_key_organization"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_security_incident")),
        sa.UniqueConstraint("id", name=op.f("uq_security_incident_id")),
    )
    op.create_index(
        "ix_security_incident_organization_key_key",
        "security_incident",
        ["organization_key", "key"],
    )
