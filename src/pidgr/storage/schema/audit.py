"""The audit trail, which triggers of the database keep append-only."""

from sqlalchemy import Column, Index, SmallInteger, Table

from pidgr.storage.schema.columns import (
    BIG,
    flag,
    id_,
    key,
    metadata,
    organization_key,
    text_column,
    time,
)

# The organization is no foreign key, whose check would make a campaign's steps wait for whoever
# holds the organization's row.
audit_event = Table(
    "audit_event",
    metadata,
    key(),
    text_column("id"),
    Column("organization_key", BIG, nullable=False),
    Column("event_type", SmallInteger, nullable=False),
    Column("event_class", SmallInteger, nullable=False),
    # See pidgr.audit.trail.ActorKind.
    Column("actor_kind", SmallInteger, nullable=False),
    text_column("actor_id"),
    text_column("entity_type"),
    text_column("entity_id"),
    # JSON object of texts.
    text_column("facts"),
    text_column("request_id"),
    flag("synthetic"),
    time("created_at"),
    # Keysets of the list, one for each filter that would otherwise read the whole trail.
    Index("ix_audit_event_organization_key_created_at", "organization_key", "created_at", "key"),
    Index("ix_audit_event_type", "organization_key", "event_type", "created_at", "key"),
    Index("ix_audit_event_actor", "organization_key", "actor_id", "created_at", "key"),
)

# While a row stands here, the triggers let the organization's events be deleted.
audit_door = Table(
    "audit_door",
    metadata,
    Column("organization_key", BIG, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

# Files that events are written into.
audit_export = Table(
    "audit_export",
    metadata,
    key(),
    id_(),
    organization_key(),
    # Numbers of AuditExportFormat and PrivacyRequestStatus.
    Column("format", SmallInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    time("start_at"),
    time("end_at"),
    # The member who asked for it; null if an API key did.
    Column("member_key", BIG, nullable=True),
    text_column("error"),
    time("created_at"),
    time("finished_at", optional=True),
    Index("ix_audit_export_organization_key_key", "organization_key", "key"),
)

# Signs that a secret of somebody's is in other hands. They name nobody: the log does.
security_incident = Table(
    "security_incident",
    metadata,
    key(),
    id_(),
    organization_key(),
    # See pidgr.audit.incident_store.IncidentKind.
    text_column("kind"),
    time("detected_at"),
    Index("ix_security_incident_organization_key_key", "organization_key", "key"),
)
