"""Applications, consents and grants."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "oauth_client",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("redirect_uris", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("scopes", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_client")),
    )
    op.create_table(
        "oauth_consent",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "organization_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "subject", "organization_key", "client_id", name=op.f("pk_oauth_consent")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "oauth_grant",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("handle", sa.LargeBinary(), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("scopes", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("redirect_uri", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("challenge", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("method", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("authenticated_at", sa.BigInteger(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("code_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("code_used_at", sa.BigInteger(), nullable=True),
        sa.Column("refresh_digest", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("refreshed_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_oauth_grant")),
        sa.UniqueConstraint("handle", name=op.f("uq_oauth_grant_handle")),
        sa.UniqueConstraint("id", name=op.f("uq_oauth_grant_id")),
    )
    with op.batch_alter_table("oauth_grant", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_oauth_grant_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(
            "ix_oauth_grant_subject_client_id", ["subject", "client_id"], unique=False
        )
