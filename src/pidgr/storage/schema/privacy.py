"""What people have asked about their data."""

from sqlalchemy import Column, Index, SmallInteger, Table, Text

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

privacy_request = Table(
    "privacy_request",
    metadata,
    key(),
    id_(),
    organization_key(),
    # Who it is about. No foreign key: the request stays when they are erased, and numbers of
    # members never come back.
    Column("member_key", BIG, nullable=False),
    Column("user_id", Text, nullable=False),
    text_column("request_type"),
    # Number of PrivacyRequestStatus.
    Column("status", SmallInteger, nullable=False),
    flag("anonymize"),
    # What a deletion restores when it is called off.
    flag("was_restricted"),
    # The member who asked; null for an API key.
    Column("asker_key", BIG, nullable=True),
    # JSON object of texts.
    text_column("facts"),
    time("due_at", optional=True),
    time("created_at"),
    time("completed_at", optional=True),
    Index("ix_privacy_request_organization_key_key", "organization_key", "key"),
    Index("ix_privacy_request_member_key_key", "member_key", "key"),
)
