"""Campaigns, their runs and what they delivered."""

from sqlalchemy import (
    Boolean,
    Column,
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
    text_column,
    time,
)

campaign = Table(
    "campaign",
    metadata,
    key(),
    id_(),
    organization_key(),
    text_column("name"),
    text_column("title"),
    text_column("sender_name"),
    Column("template_key", BIG, ForeignKey("template.key"), nullable=False),
    Column("template_version", Integer, nullable=False),
    # JSON form of the contract's WorkflowDefinition, frozen when the campaign starts.
    text_column("workflow"),
    Column("status", SmallInteger, nullable=False),
    text_column("audience_snapshot_ref"),
    count("audience_size"),
    # Whether the frozen audience was every eligible member when it was taken.
    flag("audience_is_everyone"),
    flag("include_restricted"),
    flag("critical"),
    text_column("default_locale"),
    flag("wait_for_enrollment"),
    flag("synthetic"),
    time("created_at"),
    time("started_at", optional=True),
    time("completed_at", optional=True),
    text_column("current_step_id"),
    time("step_entered_at", optional=True),
    time("next_wake_at", optional=True),
    Index("ix_campaign_organization_key_key", "organization_key", "key"),
    # How many an organization has completed.
    Index("ix_campaign_organization_key_status", "organization_key", "status"),
)

# Links to campaigns: eight letters and digits, made when a campaign first needs them.
short_code = Table(
    "short_code",
    metadata,
    Column("code", Text, primary_key=True),
    Column("campaign_key", BIG, ForeignKey("campaign.key"), nullable=False, unique=True),
)

# Which of an organization's keys signs its links (pidgr.campaigns.deeplink_tokens); the first one
# without a row.
link_key = Table(
    "link_key",
    metadata,
    Column("organization_key", BIG, ForeignKey("organization.key"), primary_key=True),
    Column("version", Integer, nullable=False),
    time("rotated_at"),
)

# Deliveries by state, in shards so that acknowledgements of one campaign do not queue up behind
# one row; a read sums at most 16 rows.
campaign_counter = Table(
    "campaign_counter",
    metadata,
    Column("campaign_key", BIG, ForeignKey("campaign.key"), primary_key=True),
    # Primary deliveries make the campaign's figures; the others only the totals of their lists.
    Column("is_primary", Boolean, primary_key=True),
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    count("waiting"),
    count("delivered"),
    count("acknowledged"),
    count("missed"),
    count("no_device"),
    count("failed"),
    sqlite_with_rowid=False,
)

# Frozen recipients, ordered by member so that inserting their deliveries walks the inbox index.
audience = Table(
    "audience",
    metadata,
    Column("campaign_key", BIG, ForeignKey("campaign.key"), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("member_key", BIG, nullable=False),
    # JSON object of this recipient's variables; null when there are none.
    Column("variables", Text, nullable=True),
    sqlite_with_rowid=False,
)

step_run = Table(
    "step_run",
    metadata,
    key(),
    Column("campaign_key", BIG, ForeignKey("campaign.key"), nullable=False),
    organization_key(),
    text_column("step_id"),
    Column("iteration", Integer, nullable=False),
    Column("step_type", SmallInteger, nullable=False),
    Column("lane_size", Integer, nullable=False, server_default=ZERO),
    Column("lanes_left", Integer, nullable=False, server_default=ZERO),
    # What a send delivers: one shared content, or a template rendered per recipient.
    Column("template_key", BIG, nullable=True),
    Column("template_version", Integer, nullable=False, server_default=ZERO),
    Column("content_key", BIG, nullable=True),
    Column("locale", SmallInteger, nullable=False, server_default=ZERO),
    Column("action_type", SmallInteger, nullable=False, server_default=ZERO),
    text_column("action_label"),
    # A deadline's due time.
    time("due_at", optional=True),
    time("started_at"),
    time("finished_at", optional=True),
    UniqueConstraint("campaign_key", "step_id", "iteration"),
)

# What a step sends to people of each preferred locale ("" for those without one), where they do
# not all read the same: the text as it was approved when the step began.
step_text = Table(
    "step_text",
    metadata,
    Column("step_run_key", BIG, ForeignKey("step_run.key"), primary_key=True),
    Column("preferred_locale", Text, primary_key=True),
    Column("locale", SmallInteger, nullable=False),
    text_column("title"),
    text_column("body"),
    # Null where the text is rendered per recipient.
    Column("content_key", BIG, nullable=True),
)

lane = Table(
    "lane",
    metadata,
    Column("step_run_key", BIG, ForeignKey("step_run.key"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    # The run whose deliveries this lane works on: its own for a send, an earlier one otherwise.
    Column("base_run_key", BIG, nullable=False),
    Column("low", Integer, nullable=False),
    Column("high", Integer, nullable=False),
    # Two cursors: rows written, and pushes a provider has answered for. The second is the outbox.
    Column("written_upto", Integer, nullable=False),
    Column("pushed_upto", Integer, nullable=False),
    # Children made so far, where the lane makes deliveries on account of others.
    count("spawned"),
    # Deliveries the lane has made whose push has been passed over and waits in held_push.
    count("held"),
    flag("spawns"),
    flag("stopped"),
    flag("finished"),
    time("moved_at"),
    postgresql_with={"fillfactor": 50},
    sqlite_with_rowid=False,
)

# When an organization's people are not pushed (pidgr.campaigns.quiet_hours); no row: never.
quiet_hours = Table(
    "quiet_hours",
    metadata,
    Column("organization_key", BIG, ForeignKey("organization.key"), primary_key=True),
    # Minutes of the day.
    Column("start_minute", Integer, nullable=False),
    Column("end_minute", Integer, nullable=False),
    Column("zone", Text, nullable=False),
    time("changed_at"),
    sqlite_with_rowid=False,
)

# Pushes that a lane's cursor has passed over because it was night for the recipient; those that
# were held back in one transaction until one moment are one task. They stay as facts. So do those
# that a stop has cut off from their batch, until never, and second pushes, until now.
held_push = Table(
    "held_push",
    metadata,
    # The delivery, and the run that would have pushed it: its own, a reminder's or a repeat's.
    Column("step_run_key", BIG, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("pushing_run_key", BIG, primary_key=True, autoincrement=False),
    Column("organization_key", BIG, nullable=False),
    time("held_at"),
    time("due_at"),
    # When the provider had answered, or there was nobody to push any more.
    time("settled_at", optional=True),
    # The ones that are late.
    Index(
        "ix_held_push_due_at",
        "due_at",
        sqlite_where=text("settled_at is null"),
        postgresql_where=text("settled_at is null"),
    ),
    sqlite_with_rowid=False,
)

# What has come of a CALL_WEBHOOK step so far.
webhook_call = Table(
    "webhook_call",
    metadata,
    Column("step_run_key", BIG, ForeignKey("step_run.key"), primary_key=True),
    # Attempts that have ended, and of the latest one: when, the receiver's status if it answered,
    # and what was wrong if anything.
    count("attempts"),
    time("began_at", optional=True),
    time("ended_at", optional=True),
    Column("status_code", Integer, nullable=True),
    text_column("error"),
    sqlite_with_rowid=False,
)

# Whom a step nudges over a channel besides push, once each; who is nudged is settled when the step
# ends. The person's address is looked up when the nudge leaves and is not kept.
nudge = Table(
    "nudge",
    metadata,
    Column("step_run_key", BIG, primary_key=True, autoincrement=False),
    Column("channel", SmallInteger, primary_key=True, autoincrement=False),
    Column("member_key", BIG, primary_key=True, autoincrement=False),
    Column("organization_key", BIG, nullable=False),
    # pidgr.campaigns.nudge_store.NudgeStatus; the reason is a word of ours or a server's code.
    Column("status", SmallInteger, nullable=False, server_default=ZERO),
    text_column("reason"),
    time("settled_at", optional=True),
    # The copy of a person's data.
    Index("ix_nudge_member_key", "member_key"),
    sqlite_with_rowid=False,
)

# What an organization's webhooks are signed with.
webhook_secret = Table(
    "webhook_secret",
    metadata,
    Column("organization_key", BIG, ForeignKey("organization.key"), primary_key=True),
    Column("sealed_secret", LargeBinary, nullable=False),
    time("created_at"),
    sqlite_with_rowid=False,
)

content = Table(
    "content",
    metadata,
    key(),
    organization_key(),
    Column("content_id", Text, nullable=False),
    text_column("title"),
    text_column("summary"),
    text_column("preview"),
    text_column("body"),
    time("created_at"),
    UniqueConstraint("organization_key", "content_id"),
)

# No id column: the public id is computed from (step_run_key, ordinal). Status 1 (pending) reads
# as sent once the lane's push cursor has passed the row, so a delivery is written once by the
# fan-out and not again by its push. On PostgreSQL partitioned by pidgr.campaigns.partitions, which
# gives each partition room for acknowledgements where the rows are (fillfactor).
delivery = Table(
    "delivery",
    metadata,
    Column("step_run_key", BIG, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("organization_key", BIG, nullable=False),
    Column("member_key", BIG, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("content_key", BIG, nullable=True),
    Column("locale", SmallInteger, nullable=False),
    time("created_at"),
    time("changed_at"),
    time("delivered_at", optional=True),
    time("read_at", optional=True),
    time("acted_at", optional=True),
    # Escalations and copies of reminders: the delivery on whose account they were made.
    Column("parent_run_key", BIG, nullable=True),
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
    # Receipts by time, for the audit trail; empty until somebody opens or confirms.
    *(
        Index(
            f"ix_delivery_{moment}",
            "organization_key",
            moment,
            "step_run_key",
            "ordinal",
            sqlite_where=text(f"{moment} is not null"),
            postgresql_where=text(f"{moment} is not null"),
        )
        for moment in ("read_at", "acted_at")
    ),
    postgresql_partition_by="range (step_run_key)",
    sqlite_with_rowid=False,
)

# Bodies rendered for one recipient, keyed like the delivery: sequential inserts, no hash index.
delivery_body = Table(
    "delivery_body",
    metadata,
    Column("step_run_key", BIG, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("content_id", Text, nullable=False),
    text_column("title"),
    text_column("summary"),
    text_column("preview"),
    text_column("body"),
    postgresql_partition_by="range (step_run_key)",
    sqlite_with_rowid=False,
)

# Why a delivery failed (device_id empty: rendering), which device could not be reached, and which
# one's provider wants its push later: of held pushes these tell what is left (held_store).
delivery_error = Table(
    "delivery_error",
    metadata,
    Column("step_run_key", BIG, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("device_id", Text, primary_key=True),
    text_column("error"),
    time("occurred_at"),
    sqlite_with_rowid=False,
)
