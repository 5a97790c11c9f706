"""Identity providers."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Apply."""
    empty = sa.text("''")
    op.create_table(
        "sso_provider",
        sa.Column("key", _BIG, sa.Identity(always=False), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_key", _BIG, nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("metadata_url", sa.Text(), server_default=empty, nullable=False),
        sa.Column("name", sa.Text(), server_default=empty, nullable=False),
        sa.Column("email_attribute", sa.Text(), server_default=empty, nullable=False),
        sa.Column("given_name_attribute", sa.Text(), server_default=empty, nullable=False),
        sa.Column("family_name_attribute", sa.Text(), server_default=empty, nullable=False),
        sa.Column("configuration", sa.Text(), server_default=empty, nullable=False),
        sa.Column("configured_at", sa.BigInteger(), nullable=False),
        sa.Column("domain_token", sa.Text(), server_default=empty, nullable=False),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("client_id", sa.Text(), server_default=empty, nullable=False),
        sa.Column("sealed_client_secret", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_sso_provider_organization_key"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sso_provider")),
        sa.UniqueConstraint("id", name=op.f("uq_sso_provider_id")),
        sa.UniqueConstraint("organization_key", name=op.f("uq_sso_provider_organization_key")),
    )
    op.create_index(
        "uq_sso_provider_verified_domain",
        "sso_provider",
        ["domain"],
        unique=True,
        sqlite_where=sa.text("verified_at is not null"),
        postgresql_where=sa.text("verified_at is not null"),
    )
