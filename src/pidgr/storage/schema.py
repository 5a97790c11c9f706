"""Every table. Ids the API shows are UUID text, joins use integer keys, times are microseconds.

Why text, integers and microseconds on both databases: docs/decisions/0003-portable-columns.md.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only for a column of exactly this type.
_BIG = BigInteger().with_variant(Integer, "sqlite")
_FALSE = text("false")
_ZERO = text("0")
_EMPTY = text("''")


def _key() -> Column[int]:
    return Column("key", _BIG, Identity(), primary_key=True)


def _id() -> Column[str]:
    return Column("id", Text, nullable=False, unique=True)


def _organization() -> Column[int]:
    return Column("organization_key", _BIG, ForeignKey("organization.key"), nullable=False)


def _time(name: str, *, optional: bool = False) -> Column[int]:
    return Column(name, BigInteger, nullable=optional)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=_EMPTY)


def _sorted_text(name: str) -> Column[str]:
    """A text that lists are ordered by: by code point, whatever the database's locale."""
    by_code_point = Text().with_variant(Text(collation="C"), "postgresql")
    return Column(name, by_code_point, nullable=False, server_default=_EMPTY)


def _flag(name: str) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=_FALSE)


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=_ZERO)


system_value = Table(
    "system_value",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# Answers of calls that carried an Idempotency-Key, for a day.
idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("request_digest", LargeBinary, nullable=False),
    Column("sealed_answer", LargeBinary, nullable=True),
    _time("created_at"),
    Index("ix_idempotency_key_created_at", "created_at"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("sealed_private_key", LargeBinary, nullable=False),
    _time("created_at"),
    # Published before it signs, so that everyone who verifies has it by then.
    Column("signs_from", BigInteger, nullable=False),
    # From when on its signatures count no more: known once its successor is.
    _time("retired_at", optional=True),
)

organization = Table(
    "organization",
    metadata,
    _key(),
    _id(),
    _text("name"),
    Column("name_folded", Text, nullable=False, unique=True),
    Column("org_type", SmallInteger, nullable=False),
    Column("industry", SmallInteger, nullable=False, server_default=_ZERO),
    Column("company_size", SmallInteger, nullable=False, server_default=_ZERO),
    _text("default_locale"),
    _text("default_workflow"),
    _text("data_governance_region"),
    # JSON array of [claim, profile field].
    Column("sso_attribute_mappings", Text, nullable=False, server_default=text("'[]'")),
    # What the ml_* settings mean is for clients; this server trains no models.
    Column("ml_retrain_cold_threshold", Integer, nullable=False, server_default=text("10")),
    _flag("ml_cancelled_counts"),
    Column("ml_manual_limit_monthly", Integer, nullable=False, server_default=text("3")),
    Column("include_synthetic_in_aggregates", Boolean, nullable=True),
    _flag("provisional_archetypes_enabled"),
    Column("default_verification_unit_level", SmallInteger, nullable=False, server_default=_ZERO),
    # Puts people into cohort buckets, together with a key that is not in the database.
    Column("analytics_salt", LargeBinary, nullable=False),
    Column("analytics_bucket_count", Integer, nullable=False, server_default=text("20")),
    Column("analytics_epsilon", Double, nullable=False, server_default=text("1.0")),
    _flag("suspended"),
    # Members must sign in by something stronger than a code sent by mail.
    _flag("otp_disabled"),
    _time("created_at"),
    _time("expires_at", optional=True),
)

# Kinds of processing that were ever switched; the others are on.
privacy_toggle = Table(
    "privacy_toggle",
    metadata,
    Column("organization_key", _BIG, ForeignKey("organization.key"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("enabled", Boolean, nullable=False),
    _text("changed_by_email"),
    _time("changed_at"),
    sqlite_with_rowid=False,
)

role = Table(
    "role",
    metadata,
    _key(),
    _id(),
    _organization(),
    _text("slug"),
    _text("name"),
    _flag("is_default"),
    _flag("is_system"),
    # Permission names separated by spaces: names survive a renumbering of the enum.
    _text("permissions"),
    _time("created_at"),
    UniqueConstraint("organization_key", "slug"),
)

# A person who signs in, whatever number of organizations they belong to.
identity = Table(
    "identity",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("email_folded", Text, nullable=False, unique=True),
    _time("created_at"),
)

# Who a person is to a trusted issuer of tokens.
external_identity = Table(
    "external_identity",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("external_subject", Text, primary_key=True),
    Column("subject", Text, ForeignKey("identity.subject"), nullable=False),
    _time("created_at"),
    sqlite_with_rowid=False,
)

# A code on its way to an address. It belongs to whoever holds the attempt's secret id.
sign_in_attempt = Table(
    "sign_in_attempt",
    metadata,
    _key(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("email_folded", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    # For the mail; gone once that is sent.
    Column("sealed_code", LargeBinary, nullable=True),
    _count("tries"),
    Column("expires_at", BigInteger, nullable=False, index=True),
    _time("used_at", optional=True),
)

# Generic cell rate: when a door would be open again for as many calls as its burst.
door_limit = Table(
    "door_limit",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_at", BigInteger, nullable=False, index=True),
)

# One sign-in and all the refresh tokens that follow from it: only the newest one is good.
sign_in_session = Table(
    "sign_in_session",
    metadata,
    _key(),
    Column("handle", LargeBinary, nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False),
    Column("subject", Text, ForeignKey("identity.subject"), nullable=False, index=True),
    # How the person proved who they are, in the words of RFC 8176.
    _text("method"),
    # Where it acts. No foreign key: a session may outlive an organization, and ends when used.
    Column("organization_key", _BIG, nullable=True),
    _time("created_at"),
    _time("refreshed_at"),
    Column("expires_at", BigInteger, nullable=False, index=True),
    _time("revoked_at", optional=True),
)

member = Table(
    "member",
    metadata,
    _key(),
    _id(),
    _organization(),
    Column("subject", Text, ForeignKey("identity.subject"), nullable=True),
    _text("email"),
    _text("email_folded"),
    _text("name"),
    # The folded name, or the folded address of a member without one: the order of ListUsers.
    _sorted_text("sort_name"),
    Column("status", SmallInteger, nullable=False),
    Column("role_key", _BIG, ForeignKey("role.key"), nullable=False),
    _text("first_name"),
    _text("last_name"),
    _text("department"),
    _text("title"),
    _text("phone"),
    _text("location"),
    _text("employee_id"),
    _text("manager_name"),
    _text("start_date"),
    _text("manager_id"),
    Column("custom_attributes", Text, nullable=False, server_default=text("'{}'")),
    _text("data_governance_region"),
    _flag("processing_restricted"),
    Column("theme_preference", SmallInteger, nullable=False, server_default=_ZERO),
    _text("preferred_locale"),
    _time("created_at"),
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
    # Deliveries go on naming members who were deleted: no number may come back for somebody else.
    sqlite_autoincrement=True,
)

api_key = Table(
    "api_key",
    metadata,
    _key(),
    _id(),
    _organization(),
    _text("name"),
    Column("key_type", SmallInteger, nullable=False),
    _text("key_prefix"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    _text("permissions"),
    _time("created_at"),
    _time("last_used_at", optional=True),
    _time("expires_at", optional=True),
    _time("revoked_at", optional=True),
)


def _collective(name: str) -> Table:
    """Groups (who is addressed) and teams (who sends) have one shape and separate meanings."""
    return Table(
        name,
        metadata,
        _key(),
        _id(),
        _organization(),
        _text("name"),
        _sorted_text("name_folded"),
        _text("description"),
        _flag("is_default"),
        _text("created_by"),
        _count("member_count"),
        _time("created_at"),
        _time("updated_at"),
        UniqueConstraint("organization_key", "name_folded"),
    )


def _membership(name: str, collective: str) -> Table:
    return Table(
        name,
        metadata,
        Column(f"{collective}_key", _BIG, ForeignKey(f"{collective}.key"), primary_key=True),
        Column("member_key", _BIG, ForeignKey("member.key"), primary_key=True),
        # A copy of the member's: whoever changes that one changes this one. Without it, a page by
        # name sorts the whole group.
        _sorted_text("sort_name"),
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
recipient_group = _collective("recipient_group")
recipient_group_member = _membership("recipient_group_member", "recipient_group")

device = Table(
    "device",
    metadata,
    Column("id", Text, primary_key=True),
    _organization(),
    Column("member_key", _BIG, ForeignKey("member.key"), nullable=False),
    Column("platform", SmallInteger, nullable=False),
    _text("push_token"),
    Column("active", Boolean, nullable=False),
    _time("last_seen_at"),
    _time("created_at"),
    Index("ix_device_member_key", "member_key"),
)

template = Table(
    "template",
    metadata,
    _key(),
    _id(),
    _organization(),
    _text("name"),
    Column("type", SmallInteger, nullable=False),
    _text("source_locale"),
    Column("latest_version", Integer, nullable=False),
    Index("ix_template_organization_key_key", "organization_key", "key"),
)

template_version = Table(
    "template_version",
    metadata,
    Column("template_key", _BIG, ForeignKey("template.key"), primary_key=True),
    Column("version", Integer, primary_key=True),
    _text("title"),
    _text("body"),
    # JSON array of the contract's TemplateVariable.
    Column("variables", Text, nullable=False, server_default=text("'[]'")),
    _time("created_at"),
)

template_translation = Table(
    "template_translation",
    metadata,
    _key(),
    _id(),
    Column("template_key", _BIG, ForeignKey("template.key"), nullable=False),
    Column("version", Integer, nullable=False),
    _text("locale"),
    _text("title"),
    _text("body"),
    Column("status", SmallInteger, nullable=False),
    _text("translated_by"),
    _text("reviewed_by"),
    _time("reviewed_at", optional=True),
    _time("created_at"),
    UniqueConstraint("template_key", "version", "locale"),
)

campaign = Table(
    "campaign",
    metadata,
    _key(),
    _id(),
    _organization(),
    _text("name"),
    _text("title"),
    _text("sender_name"),
    Column("template_key", _BIG, ForeignKey("template.key"), nullable=False),
    Column("template_version", Integer, nullable=False),
    # JSON form of the contract's WorkflowDefinition, frozen when the campaign starts.
    _text("workflow"),
    Column("status", SmallInteger, nullable=False),
    _text("audience_snapshot_ref"),
    _count("audience_size"),
    # Whether the frozen audience was every eligible member when it was taken.
    _flag("audience_is_everyone"),
    _flag("include_restricted"),
    _flag("critical"),
    _text("default_locale"),
    _flag("wait_for_enrollment"),
    _flag("synthetic"),
    _time("created_at"),
    _time("started_at", optional=True),
    _time("completed_at", optional=True),
    _text("current_step_id"),
    _time("step_entered_at", optional=True),
    _time("next_wake_at", optional=True),
    Index("ix_campaign_organization_key_key", "organization_key", "key"),
    # How many an organization has completed.
    Index("ix_campaign_organization_key_status", "organization_key", "status"),
)

# Deliveries by state, in shards so that acknowledgements of one campaign do not queue up behind
# one row; a read sums at most 16 rows.
campaign_counter = Table(
    "campaign_counter",
    metadata,
    Column("campaign_key", _BIG, ForeignKey("campaign.key"), primary_key=True),
    # Primary deliveries make the campaign's figures; the others only the totals of their lists.
    Column("is_primary", Boolean, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    _count("waiting"),
    _count("delivered"),
    _count("acknowledged"),
    _count("missed"),
    _count("no_device"),
    _count("failed"),
    sqlite_with_rowid=False,
)

# Frozen recipients, ordered by member so that inserting their deliveries walks the inbox index.
audience = Table(
    "audience",
    metadata,
    Column("campaign_key", _BIG, ForeignKey("campaign.key"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("member_key", _BIG, nullable=False),
    # JSON object of this recipient's variables; null when there are none.
    Column("variables", Text, nullable=True),
    sqlite_with_rowid=False,
)

step_run = Table(
    "step_run",
    metadata,
    _key(),
    Column("campaign_key", _BIG, ForeignKey("campaign.key"), nullable=False),
    _organization(),
    _text("step_id"),
    Column("iteration", Integer, nullable=False),
    Column("step_type", SmallInteger, nullable=False),
    Column("lane_size", Integer, nullable=False, server_default=_ZERO),
    Column("lanes_left", Integer, nullable=False, server_default=_ZERO),
    # What a send delivers: one shared content, or a template rendered per recipient.
    Column("template_key", _BIG, nullable=True),
    Column("template_version", Integer, nullable=False, server_default=_ZERO),
    Column("content_key", _BIG, nullable=True),
    Column("locale", SmallInteger, nullable=False, server_default=_ZERO),
    Column("action_type", SmallInteger, nullable=False, server_default=_ZERO),
    _text("action_label"),
    # A deadline's due time.
    _time("due_at", optional=True),
    _time("started_at"),
    _time("finished_at", optional=True),
    UniqueConstraint("campaign_key", "step_id", "iteration"),
)

# What a step sends to people of each preferred locale ("" for those without one), where they do
# not all read the same: the text as it was approved when the step began.
step_text = Table(
    "step_text",
    metadata,
    Column("step_run_key", _BIG, ForeignKey("step_run.key"), primary_key=True),
    Column("preferred_locale", Text, primary_key=True),
    Column("locale", SmallInteger, nullable=False),
    _text("title"),
    _text("body"),
    # Null where the text is rendered per recipient.
    Column("content_key", _BIG, nullable=True),
)

lane = Table(
    "lane",
    metadata,
    Column("step_run_key", _BIG, ForeignKey("step_run.key"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    # The run whose deliveries this lane works on: its own for a send, an earlier one otherwise.
    Column("base_run_key", _BIG, nullable=False),
    Column("low", Integer, nullable=False),
    Column("high", Integer, nullable=False),
    # Two cursors: rows written, and pushes a provider has answered for. The second is the outbox.
    Column("written_upto", Integer, nullable=False),
    Column("pushed_upto", Integer, nullable=False),
    # Children made so far, where the lane makes deliveries on account of others.
    _count("spawned"),
    _flag("spawns"),
    _flag("stopped"),
    _flag("finished"),
    _time("moved_at"),
    postgresql_with={"fillfactor": 50},
    sqlite_with_rowid=False,
)

# What has come of a CALL_WEBHOOK step so far.
webhook_call = Table(
    "webhook_call",
    metadata,
    Column("step_run_key", _BIG, ForeignKey("step_run.key"), primary_key=True),
    # Attempts that have ended, and of the latest one: when, the receiver's status if it answered,
    # and what was wrong if anything.
    _count("attempts"),
    _time("began_at", optional=True),
    _time("ended_at", optional=True),
    Column("status_code", Integer, nullable=True),
    _text("error"),
    sqlite_with_rowid=False,
)

# What an organization's webhooks are signed with.
webhook_secret = Table(
    "webhook_secret",
    metadata,
    Column("organization_key", _BIG, ForeignKey("organization.key"), primary_key=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    _time("created_at"),
    sqlite_with_rowid=False,
)

content = Table(
    "content",
    metadata,
    _key(),
    _organization(),
    Column("content_id", Text, nullable=False),
    _text("title"),
    _text("summary"),
    _text("preview"),
    _text("body"),
    _time("created_at"),
    UniqueConstraint("organization_key", "content_id"),
)

# No id column: the public id is computed from (step_run_key, ordinal). Status 1 (pending) reads
# as sent once the lane's push cursor has passed the row, so a delivery is written once by the
# fan-out and not again by its push.
delivery = Table(
    "delivery",
    metadata,
    Column("step_run_key", _BIG, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("organization_key", _BIG, nullable=False),
    Column("member_key", _BIG, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("content_key", _BIG, nullable=True),
    Column("locale", SmallInteger, nullable=False),
    _time("created_at"),
    _time("changed_at"),
    _time("delivered_at", optional=True),
    _time("read_at", optional=True),
    _time("acted_at", optional=True),
    # Escalations and copies of reminders: the delivery on whose account they were made.
    Column("parent_run_key", _BIG, nullable=True),
    Column("parent_ordinal", Integer, nullable=True),
    # Finds the copies to dismiss once their original is acknowledged; empty for primary ones.
    Index(
        "ix_delivery_parent_run_key_parent_ordinal",
        "parent_run_key",
        "parent_ordinal",
        sqlite_where=text("parent_run_key is not null"),
        postgresql_where=text("parent_run_key is not null"),
    ),
    # The inbox: a person's entries in the order they changed.
    Index("ix_delivery_member_key_changed_at", "member_key", "changed_at"),
    postgresql_with={"fillfactor": 80},
    sqlite_with_rowid=False,
)

# Bodies rendered for one recipient, keyed like the delivery: sequential inserts, no hash index.
delivery_body = Table(
    "delivery_body",
    metadata,
    Column("step_run_key", _BIG, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("content_id", Text, nullable=False),
    _text("title"),
    _text("summary"),
    _text("preview"),
    _text("body"),
    sqlite_with_rowid=False,
)

# Why a delivery failed, or which device could not be reached (device_id empty: rendering).
delivery_error = Table(
    "delivery_error",
    metadata,
    Column("step_run_key", _BIG, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("device_id", Text, primary_key=True),
    _text("error"),
    _time("occurred_at"),
    sqlite_with_rowid=False,
)
