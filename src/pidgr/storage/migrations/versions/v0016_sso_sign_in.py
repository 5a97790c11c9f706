"""People on their way to an identity provider and back."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "sso_attempt",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sso_provider_key", _BIG, nullable=False),
        sa.Column("browser_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("challenge", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sso_attempt")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sso_attempt_expires_at", "sso_attempt", ["expires_at"])
    op.create_table(
        "sso_arrival",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("challenge", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sso_arrival")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sso_arrival_expires_at", "sso_arrival", ["expires_at"])
