"""initial schema."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "delivery",
        sa.Column(
            "step_run_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "member_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kind", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column(
            "content_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("locale", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("delivered_at", sa.BigInteger(), nullable=True),
        sa.Column("read_at", sa.BigInteger(), nullable=True),
        sa.Column("acted_at", sa.BigInteger(), nullable=True),
        sa.Column(
            "parent_run_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("parent_ordinal", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("step_run_key", "ordinal", name=op.f("pk_delivery")),
        postgresql_with={"fillfactor": 80},
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(
            "ix_delivery_member_key_changed_at", ["member_key", "changed_at"], unique=False
        )
        batch_op.create_index(
            "ix_delivery_parent_run_key_parent_ordinal",
            ["parent_run_key", "parent_ordinal"],
            unique=False,
            sqlite_where=sa.text("parent_run_key is not null"),
            postgresql_where=sa.text("parent_run_key is not null"),
        )

    op.create_table(
        "delivery_body",
        sa.Column(
            "step_run_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("summary", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("preview", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.PrimaryKeyConstraint("step_run_key", "ordinal", name=op.f("pk_delivery_body")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery_error",
        sa.Column(
            "step_run_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "step_run_key", "ordinal", "device_id", name=op.f("pk_delivery_error")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "door_limit",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_door_limit")),
    )
    with op.batch_alter_table("door_limit", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_door_limit_next_at"), ["next_at"], unique=False)

    op.create_table(
        "idempotency_key",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("request_digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_answer", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_idempotency_key")),
    )
    with op.batch_alter_table("idempotency_key", schema=None) as batch_op:
        batch_op.create_index("ix_idempotency_key_created_at", ["created_at"], unique=False)

    op.create_table(
        "identity",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email_folded", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_identity")),
        sa.UniqueConstraint("email_folded", name=op.f("uq_identity_email_folded")),
    )
    op.create_table(
        "organization",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("name_folded", sa.Text(), nullable=False),
        sa.Column("org_type", sa.SmallInteger(), nullable=False),
        sa.Column("industry", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("company_size", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("default_locale", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("default_workflow", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "data_governance_region", sa.Text(), server_default=sa.text("('')"), nullable=False
        ),
        sa.Column(
            "sso_attribute_mappings", sa.Text(), server_default=sa.text("'[]'"), nullable=False
        ),
        sa.Column(
            "ml_retrain_cold_threshold",
            sa.Integer(),
            server_default=sa.text("(10)"),
            nullable=False,
        ),
        sa.Column(
            "ml_cancelled_counts", sa.Boolean(), server_default=sa.text("(false)"), nullable=False
        ),
        sa.Column(
            "ml_manual_limit_monthly", sa.Integer(), server_default=sa.text("3"), nullable=False
        ),
        sa.Column("include_synthetic_in_aggregates", sa.Boolean(), nullable=True),
        sa.Column(
            "provisional_archetypes_enabled",
            sa.Boolean(),
            server_default=sa.text("(false)"),
            nullable=False,
        ),
        sa.Column(
            "default_verification_unit_level",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
        ),
        sa.Column("analytics_salt", sa.LargeBinary(), nullable=False),
        sa.Column(
            "analytics_bucket_count", sa.Integer(), server_default=sa.text("(20)"), nullable=False
        ),
        sa.Column(
            "analytics_epsilon", sa.Double(), server_default=sa.text("(1.0)"), nullable=False
        ),
        sa.Column("suspended", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("otp_disabled", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_organization")),
        sa.UniqueConstraint("id", name=op.f("uq_organization_id")),
        sa.UniqueConstraint("name_folded", name=op.f("uq_organization_name_folded")),
    )
    op.create_table(
        "sign_in_attempt",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("email_folded", sa.Text(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_code", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_attempt")),
        sa.UniqueConstraint("digest", name=op.f("uq_sign_in_attempt_digest")),
    )
    with op.batch_alter_table("sign_in_attempt", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sign_in_attempt_expires_at"), ["expires_at"], unique=False
        )

    op.create_table(
        "signing_key",
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("sealed_private_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("signs_from", sa.BigInteger(), nullable=False),
        sa.Column("retired_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
    )
    op.create_table(
        "system_value",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_system_value")),
    )
    op.create_table(
        "api_key",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("key_type", sa.SmallInteger(), nullable=False),
        sa.Column("key_prefix", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("permissions", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_api_key_organization_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_api_key")),
        sa.UniqueConstraint("digest", name=op.f("uq_api_key_digest")),
        sa.UniqueConstraint("id", name=op.f("uq_api_key_id")),
    )
    op.create_table(
        "content",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("content_id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("summary", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("preview", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_content_organization_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_content")),
        sa.UniqueConstraint(
            "organization_key", "content_id", name=op.f("uq_content_organization_key_content_id")
        ),
    )
    op.create_table(
        "external_identity",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("external_subject", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subject"], ["identity.subject"], name=op.f("fk_external_identity_subject")
        ),
        sa.PrimaryKeyConstraint("issuer", "external_subject", name=op.f("pk_external_identity")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "privacy_toggle",
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("changed_by_email", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_privacy_toggle_organization_key"),
        ),
        sa.PrimaryKeyConstraint("organization_key", "kind", name=op.f("pk_privacy_toggle")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recipient_group",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "name_folded",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default=sa.text("('')"),
            nullable=False,
        ),
        sa.Column("description", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("created_by", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("member_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_recipient_group_organization_key"),
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_recipient_group")),
        sa.UniqueConstraint("id", name=op.f("uq_recipient_group_id")),
        sa.UniqueConstraint(
            "organization_key",
            "name_folded",
            name=op.f("uq_recipient_group_organization_key_name_folded"),
        ),
    )
    op.create_table(
        "role",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("slug", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("is_system", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("permissions", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_role_organization_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_role")),
        sa.UniqueConstraint("id", name=op.f("uq_role_id")),
        sa.UniqueConstraint("organization_key", "slug", name=op.f("uq_role_organization_key_slug")),
    )
    op.create_table(
        "sign_in_session",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("handle", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("refreshed_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["subject"], ["identity.subject"], name=op.f("fk_sign_in_session_subject")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_sign_in_session")),
        sa.UniqueConstraint("handle", name=op.f("uq_sign_in_session_handle")),
    )
    with op.batch_alter_table("sign_in_session", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_sign_in_session_expires_at"), ["expires_at"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_sign_in_session_subject"), ["subject"], unique=False)

    op.create_table(
        "team",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "name_folded",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default=sa.text("('')"),
            nullable=False,
        ),
        sa.Column("description", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("is_default", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("created_by", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("member_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_team_organization_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_team")),
        sa.UniqueConstraint("id", name=op.f("uq_team_id")),
        sa.UniqueConstraint(
            "organization_key", "name_folded", name=op.f("uq_team_organization_key_name_folded")
        ),
    )
    op.create_table(
        "template",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("source_locale", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("latest_version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_template_organization_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_template")),
        sa.UniqueConstraint("id", name=op.f("uq_template_id")),
    )
    with op.batch_alter_table("template", schema=None) as batch_op:
        batch_op.create_index(
            "ix_template_organization_key_key", ["organization_key", "key"], unique=False
        )

    op.create_table(
        "webhook_secret",
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"],
            ["organization.key"],
            name=op.f("fk_webhook_secret_organization_key"),
        ),
        sa.PrimaryKeyConstraint("organization_key", name=op.f("pk_webhook_secret")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "campaign",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("sender_name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "template_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("template_version", sa.Integer(), nullable=False),
        sa.Column("workflow", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column(
            "audience_snapshot_ref", sa.Text(), server_default=sa.text("('')"), nullable=False
        ),
        sa.Column("audience_size", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "audience_is_everyone", sa.Boolean(), server_default=sa.text("(false)"), nullable=False
        ),
        sa.Column(
            "include_restricted", sa.Boolean(), server_default=sa.text("(false)"), nullable=False
        ),
        sa.Column("critical", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("default_locale", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "wait_for_enrollment", sa.Boolean(), server_default=sa.text("(false)"), nullable=False
        ),
        sa.Column("synthetic", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("current_step_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("step_entered_at", sa.BigInteger(), nullable=True),
        sa.Column("next_wake_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_campaign_organization_key")
        ),
        sa.ForeignKeyConstraint(
            ["template_key"], ["template.key"], name=op.f("fk_campaign_template_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_campaign")),
        sa.UniqueConstraint("id", name=op.f("uq_campaign_id")),
    )
    with op.batch_alter_table("campaign", schema=None) as batch_op:
        batch_op.create_index(
            "ix_campaign_organization_key_key", ["organization_key", "key"], unique=False
        )
        batch_op.create_index(
            "ix_campaign_organization_key_status", ["organization_key", "status"], unique=False
        )

    op.create_table(
        "member",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("email_folded", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "sort_name",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default=sa.text("('')"),
            nullable=False,
        ),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("role_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first_name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("last_name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("department", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("phone", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("location", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("employee_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("manager_name", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("start_date", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("manager_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("custom_attributes", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "data_governance_region", sa.Text(), server_default=sa.text("('')"), nullable=False
        ),
        sa.Column(
            "processing_restricted", sa.Boolean(), server_default=sa.text("(false)"), nullable=False
        ),
        sa.Column(
            "theme_preference", sa.SmallInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("preferred_locale", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_member_organization_key")
        ),
        sa.ForeignKeyConstraint(["role_key"], ["role.key"], name=op.f("fk_member_role_key")),
        sa.ForeignKeyConstraint(["subject"], ["identity.subject"], name=op.f("fk_member_subject")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_member")),
        sa.UniqueConstraint("id", name=op.f("uq_member_id")),
        sa.UniqueConstraint(
            "organization_key", "email_folded", name=op.f("uq_member_organization_key_email_folded")
        ),
        sa.UniqueConstraint(
            "subject", "organization_key", name=op.f("uq_member_subject_organization_key")
        ),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("member", schema=None) as batch_op:
        batch_op.create_index("ix_member_email_folded", ["email_folded"], unique=False)
        batch_op.create_index(
            "ix_member_organization_key_manager_id",
            ["organization_key", "manager_id"],
            unique=False,
            sqlite_where=sa.text("manager_id <> ''"),
            postgresql_where=sa.text("manager_id <> ''"),
        )
        batch_op.create_index(
            "ix_member_organization_key_sort_name_key",
            ["organization_key", "sort_name", "key"],
            unique=False,
        )
        batch_op.create_index("ix_member_role_key", ["role_key"], unique=False)

    op.create_table(
        "template_translation",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "template_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("locale", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("translated_by", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("reviewed_by", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("reviewed_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["template_key"], ["template.key"], name=op.f("fk_template_translation_template_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_template_translation")),
        sa.UniqueConstraint("id", name=op.f("uq_template_translation_id")),
        sa.UniqueConstraint(
            "template_key",
            "version",
            "locale",
            name=op.f("uq_template_translation_template_key_version_locale"),
        ),
    )
    op.create_table(
        "template_version",
        sa.Column(
            "template_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("variables", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["template_key"], ["template.key"], name=op.f("fk_template_version_template_key")
        ),
        sa.PrimaryKeyConstraint("template_key", "version", name=op.f("pk_template_version")),
    )
    op.create_table(
        "audience",
        sa.Column(
            "campaign_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "member_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("variables", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_key"], ["campaign.key"], name=op.f("fk_audience_campaign_key")
        ),
        sa.PrimaryKeyConstraint("campaign_key", "ordinal", name=op.f("pk_audience")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "campaign_counter",
        sa.Column(
            "campaign_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("waiting", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("delivered", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("acknowledged", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("missed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("no_device", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_key"], ["campaign.key"], name=op.f("fk_campaign_counter_campaign_key")
        ),
        sa.PrimaryKeyConstraint(
            "campaign_key", "is_primary", "shard", name=op.f("pk_campaign_counter")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "device",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "member_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("platform", sa.SmallInteger(), nullable=False),
        sa.Column("push_token", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("last_seen_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_key"], ["member.key"], name=op.f("fk_device_member_key")),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_device_organization_key")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
    )
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.create_index("ix_device_member_key", ["member_key"], unique=False)

    op.create_table(
        "recipient_group_member",
        sa.Column(
            "recipient_group_key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "member_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "sort_name",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default=sa.text("('')"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["member_key"], ["member.key"], name=op.f("fk_recipient_group_member_member_key")
        ),
        sa.ForeignKeyConstraint(
            ["recipient_group_key"],
            ["recipient_group.key"],
            name=op.f("fk_recipient_group_member_recipient_group_key"),
        ),
        sa.PrimaryKeyConstraint(
            "recipient_group_key", "member_key", name=op.f("pk_recipient_group_member")
        ),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("recipient_group_member", schema=None) as batch_op:
        batch_op.create_index("ix_recipient_group_member_member_key", ["member_key"], unique=False)
        batch_op.create_index(
            "ix_recipient_group_member_sort_name",
            ["recipient_group_key", "sort_name", "member_key"],
            unique=False,
        )

    op.create_table(
        "step_run",
        sa.Column(
            "key",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.Identity(always=False),
            nullable=False,
        ),
        sa.Column(
            "campaign_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "organization_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("step_id", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("iteration", sa.Integer(), nullable=False),
        sa.Column("step_type", sa.SmallInteger(), nullable=False),
        sa.Column("lane_size", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lanes_left", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "template_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("template_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "content_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("locale", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("action_type", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("action_label", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["campaign_key"], ["campaign.key"], name=op.f("fk_step_run_campaign_key")
        ),
        sa.ForeignKeyConstraint(
            ["organization_key"], ["organization.key"], name=op.f("fk_step_run_organization_key")
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_step_run")),
        sa.UniqueConstraint(
            "campaign_key",
            "step_id",
            "iteration",
            name=op.f("uq_step_run_campaign_key_step_id_iteration"),
        ),
    )
    op.create_table(
        "team_member",
        sa.Column("team_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "member_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "sort_name",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            server_default=sa.text("('')"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["member_key"], ["member.key"], name=op.f("fk_team_member_member_key")
        ),
        sa.ForeignKeyConstraint(["team_key"], ["team.key"], name=op.f("fk_team_member_team_key")),
        sa.PrimaryKeyConstraint("team_key", "member_key", name=op.f("pk_team_member")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("team_member", schema=None) as batch_op:
        batch_op.create_index("ix_team_member_member_key", ["member_key"], unique=False)
        batch_op.create_index(
            "ix_team_member_sort_name", ["team_key", "sort_name", "member_key"], unique=False
        )

    op.create_table(
        "lane",
        sa.Column(
            "step_run_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "base_run_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("low", sa.Integer(), nullable=False),
        sa.Column("high", sa.Integer(), nullable=False),
        sa.Column("written_upto", sa.Integer(), nullable=False),
        sa.Column("pushed_upto", sa.Integer(), nullable=False),
        sa.Column("spawned", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("spawns", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("stopped", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("finished", sa.Boolean(), server_default=sa.text("(false)"), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["step_run_key"], ["step_run.key"], name=op.f("fk_lane_step_run_key")
        ),
        sa.PrimaryKeyConstraint("step_run_key", "number", name=op.f("pk_lane")),
        postgresql_with={"fillfactor": 50},
        sqlite_with_rowid=False,
    )
    op.create_table(
        "step_text",
        sa.Column(
            "step_run_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("preferred_locale", sa.Text(), nullable=False),
        sa.Column("locale", sa.SmallInteger(), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("body", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column(
            "content_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.ForeignKeyConstraint(
            ["step_run_key"], ["step_run.key"], name=op.f("fk_step_text_step_run_key")
        ),
        sa.PrimaryKeyConstraint("step_run_key", "preferred_locale", name=op.f("pk_step_text")),
    )
    op.create_table(
        "webhook_call",
        sa.Column(
            "step_run_key", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.ForeignKeyConstraint(
            ["step_run_key"], ["step_run.key"], name=op.f("fk_webhook_call_step_run_key")
        ),
        sa.PrimaryKeyConstraint("step_run_key", name=op.f("pk_webhook_call")),
        sqlite_with_rowid=False,
    )
