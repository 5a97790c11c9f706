"""Organizations and the people in them."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from pidgr.storage.schema.columns import (
    BIG,
    ZERO,
    count,
    flag,
    id_,
    key,
    metadata,
    organization_key,
    sorted_text,
    text_column,
    time,
)

organization = Table(
    "organization",
    metadata,
    key(),
    id_(),
    text_column("name"),
    Column("name_folded", Text, nullable=False, unique=True),
    Column("org_type", SmallInteger, nullable=False),
    Column("industry", SmallInteger, nullable=False, server_default=ZERO),
    Column("company_size", SmallInteger, nullable=False, server_default=ZERO),
    text_column("default_locale"),
    text_column("default_workflow"),
    text_column("data_governance_region"),
    # JSON array of [claim, profile field].
    Column("sso_attribute_mappings", Text, nullable=False, server_default=text("'[]'")),
    # What the ml_* settings mean is for clients; this server trains no models.
    Column("ml_retrain_cold_threshold", Integer, nullable=False, server_default=text("10")),
    flag("ml_cancelled_counts"),
    Column("ml_manual_limit_monthly", Integer, nullable=False, server_default=text("3")),
    Column("include_synthetic_in_aggregates", Boolean, nullable=True),
    flag("provisional_archetypes_enabled"),
    Column("default_verification_unit_level", SmallInteger, nullable=False, server_default=ZERO),
    # Puts people into cohort buckets, together with a key that is not in the database.
    Column("analytics_salt", LargeBinary, nullable=False),
    Column("analytics_bucket_count", Integer, nullable=False, server_default=text("20")),
    Column("analytics_epsilon", Double, nullable=False, server_default=text("1.0")),
    flag("suspended"),
    # Members must sign in by something stronger than a code sent by mail.
    flag("otp_disabled"),
    time("created_at"),
    # A sandbox is gone for everybody from this moment on; its rows follow.
    time("expires_at", optional=True),
    # Who made a sandbox. No foreign key: an identity is no part of what is deleted with it.
    Column("creator_subject", Text, nullable=True),
    Index(
        "ix_organization_creator_subject",
        "creator_subject",
        sqlite_where=text("creator_subject is not null"),
        postgresql_where=text("creator_subject is not null"),
    ),
)

# Invitations on their way to people's mailboxes; a row goes when its mail has been handed over.
invitation_mail = Table(
    "invitation_mail",
    metadata,
    # Whoever is invited again before the first mail has left gets one mail.
    Column("member_key", BIG, ForeignKey("member.key"), primary_key=True, autoincrement=False),
    organization_key(),
    # Those that were invited together, which one task sends.
    Column("batch", Text, nullable=False),
    time("created_at"),
    Index("ix_invitation_mail_batch_member_key", "batch", "member_key"),
    sqlite_with_rowid=False,
)

# Kinds of processing that were ever switched; the others are on.
privacy_toggle = Table(
    "privacy_toggle",
    metadata,
    Column("organization_key", BIG, ForeignKey("organization.key"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    text_column("changed_by_email"),
    time("changed_at"),
    sqlite_with_rowid=False,
)

role = Table(
    "role",
    metadata,
    key(),
    id_(),
    organization_key(),
    text_column("slug"),
    text_column("name"),
    flag("is_default"),
    flag("is_system"),
    # Permission names separated by spaces: names survive a renumbering of the enum.
    text_column("permissions"),
    time("created_at"),
    UniqueConstraint("organization_key", "slug"),
)

member = Table(
    "member",
    metadata,
    key(),
    id_(),
    organization_key(),
    Column("subject", Text, ForeignKey("identity.subject"), nullable=True),
    text_column("email"),
    text_column("email_folded"),
    text_column("name"),
    # The folded name, or the folded address of a member without one: the order of ListUsers.
    sorted_text("sort_name"),
    Column("status", SmallInteger, nullable=False),
    Column("role_key", BIG, ForeignKey("role.key"), nullable=False),
    text_column("first_name"),
    text_column("last_name"),
    text_column("department"),
    text_column("title"),
    text_column("phone"),
    text_column("location"),
    text_column("employee_id"),
    text_column("manager_name"),
    text_column("start_date"),
    text_column("manager_id"),
    Column("custom_attributes", Text, nullable=False, server_default=text("'{}'")),
    text_column("data_governance_region"),
    flag("processing_restricted"),
    Column("theme_preference", SmallInteger, nullable=False, server_default=ZERO),
    text_column("preferred_locale"),
    # When they last told of a new passkey (ConfirmPasskeyEnrollment).
    time("passkey_enrolled_at", optional=True),
    time("created_at"),
    UniqueConstraint("organization_key", "email_folded"),
    UniqueConstraint("subject", "organization_key"),
    # Keyset of ListUsers.
    Index("ix_member_organization_key_sort_name_key", "organization_key", "sort_name", "key"),
    # Who holds a role, and who reports to whom.
    Index("ix_member_role_key", "role_key"),
    Index(
        "ix_member_organization_key_manager_id",
        "organization_key",
        "manager_id",
        sqlite_where=text("manager_id <> ''"),
        postgresql_where=text("manager_id <> ''"),
    ),
    # Who signs in with an address, whatever the organization.
    Index("ix_member_email_folded", "email_folded"),
)

# How many members an organization has, in every status, so that a page of them need not count. A
# row of its own, the last that a transaction locks: nobody who locks the organization's waits for
# those who invite.
member_count = Table(
    "member_count",
    metadata,
    Column("organization_key", BIG, ForeignKey("organization.key"), primary_key=True),
    count("members"),
    sqlite_with_rowid=False,
)


def _collective(name: str, *more: Column[str] | Index) -> Table:
    """Groups (who is addressed) and teams (who sends) have one shape and separate meanings."""
    return Table(
        name,
        metadata,
        key(),
        id_(),
        organization_key(),
        text_column("name"),
        sorted_text("name_folded"),
        text_column("description"),
        flag("is_default"),
        text_column("created_by"),
        count("member_count"),
        # One more with every change of it or of who is in it.
        count("version"),
        time("created_at"),
        time("updated_at"),
        UniqueConstraint("organization_key", "name_folded"),
        *more,
    )


def _membership(name: str, collective: str) -> Table:
    return Table(
        name,
        metadata,
        Column(f"{collective}_key", BIG, ForeignKey(f"{collective}.key"), primary_key=True),
        Column("member_key", BIG, ForeignKey("member.key"), primary_key=True),
        # A copy of the member's: whoever changes that one changes this one. Without it, a page by
        # name sorts the whole group.
        sorted_text("sort_name"),
        Index(
            f"ix_{name}_sort_name",
            f"{collective}_key",
            "sort_name",
            "member_key",
        ),
        Index(f"ix_{name}_member_key", "member_key"),
        sqlite_with_rowid=False,
    )


team = _collective("team")

team_member = _membership("team_member", "team")

recipient_group = _collective(
    "recipient_group",
    # What the directory that made it calls it (SCIM).
    text_column("external_id"),
    Index(
        "ix_recipient_group_organization_key_external_id",
        "organization_key",
        "external_id",
        sqlite_where=text("external_id <> ''"),
        postgresql_where=text("external_id <> ''"),
    ),
)

recipient_group_member = _membership("recipient_group_member", "recipient_group")

device = Table(
    "device",
    metadata,
    Column("id", Text, primary_key=True),
    organization_key(),
    Column("member_key", BIG, ForeignKey("member.key"), nullable=False),
    Column("platform", SmallInteger, nullable=False),
    text_column("push_token"),
    Column("active", Boolean, nullable=False),
    time("last_seen_at"),
    time("created_at"),
    # Whether somebody has an active device is answered by the index alone, for a whole audience.
    Index("ix_device_member_key_active", "member_key", "active"),
)

# Browsers. Here they are active as long as they are here; the id follows from the endpoint.
web_push_subscription = Table(
    "web_push_subscription",
    metadata,
    Column("id", Text, primary_key=True),
    organization_key(),
    Column("member_key", BIG, ForeignKey("member.key"), nullable=False),
    # What the browser gave, as JSON: where it is pushed to, and its keys.
    Column("push_token", Text, nullable=False),
    time("last_seen_at"),
    time("created_at"),
    Index("ix_web_push_subscription_member_key", "member_key"),
)

# Who reads the bot in Telegram in which chat, and the link by which a chat is opened.
telegram_chat = Table(
    "telegram_chat",
    metadata,
    Column("member_key", BIG, ForeignKey("member.key"), primary_key=True, autoincrement=False),
    organization_key(),
    Column("chat_id", BigInteger),
    time("opened_at", optional=True),
    # SHA-256 of what the link holds.
    Column("link_digest", LargeBinary, unique=True),
    time("link_expires_at", optional=True),
    Index("ix_telegram_chat_chat_id", "chat_id"),
)

# Links by which people join. The role is no foreign key: a link that has ended does not keep it.
invite_link = Table(
    "invite_link",
    metadata,
    key(),
    id_(),
    organization_key(),
    # SHA-256 of the token, and the token as only the server can read it.
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("sealed_token", LargeBinary, nullable=False),
    Column("role_key", BIG, nullable=False),
    # 0 means any number.
    Column("max_uses", Integer, nullable=False),
    count("use_count"),
    text_column("data_governance_region"),
    # Id of a member or an API key.
    text_column("created_by"),
    time("created_at"),
    time("expires_at"),
    time("revoked_at", optional=True),
    Index("ix_invite_link_organization_key_key", "organization_key", "key"),
)
