"""Recordings of sessions; their events are in the blob store. Nothing tells whose they are."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table

from pidgr.storage.schema.columns import (
    BIG,
    ZERO,
    count,
    id_,
    key,
    metadata,
    organization_key,
    time,
)

recording = Table(
    "recording",
    metadata,
    key(),
    id_(),
    organization_key(),
    # SHA-256 of the token by which its client goes on with it.
    Column("digest", LargeBinary, nullable=False, unique=True),
    # 0 where no message was open. No foreign key: a recording may outlive its campaign.
    Column("campaign_key", BIG, nullable=False),
    time("started_at"),
    # The number of the batch that is wanted next; 0 before there is anything to see.
    count("next_batch"),
    # Bytes of JSON.
    Column("size", BigInteger, nullable=False, server_default=ZERO),
    # Milliseconds of the client's clock.
    Column("first_at", BigInteger, nullable=False, server_default=ZERO),
    Column("last_at", BigInteger, nullable=False, server_default=ZERO),
    Column("interactions", Integer, nullable=False, server_default=ZERO),
    Index("ix_recording_organization_key_started_at", "organization_key", "started_at", "key"),
    Index("ix_recording_campaign_key_started_at", "campaign_key", "started_at", "key"),
)
