"""People who sign in on a page of this server for a client, whatever the way.

What was in the former table of providers' arrivals, and who is on the way to a provider, would be
forgotten within minutes; they begin again.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0023"
down_revision: str | None = "0022"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    op.drop_table("sso_arrival")
    op.execute("delete from sso_attempt")
    op.drop_column("sso_attempt", "challenge")
    op.create_table(
        "sign_in_arrival",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("method", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("organization_key", _BIG, nullable=True),
        sa.Column("challenge", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sign_in_arrival")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sign_in_arrival_expires_at", "sign_in_arrival", ["expires_at"])
