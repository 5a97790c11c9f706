"""What the installation itself keeps, whatever the organization."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from pidgr.storage.schema.columns import metadata, time

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
    time("created_at"),
    Index("ix_idempotency_key_created_at", "created_at"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("kid", Text, primary_key=True),
    Column("sealed_private_key", LargeBinary, nullable=False),
    time("created_at"),
    # Published before it signs, so that everyone who verifies has it by then.
    Column("signs_from", BigInteger, nullable=False),
    # From when on its signatures count no more: known once its successor is.
    time("retired_at", optional=True),
)

# An allowance that processes share, by the digest of its name (pidgr.rpc.limit_store).
rate_bucket = Table(
    "rate_bucket",
    metadata,
    Column("name", LargeBinary, primary_key=True),
    time("whole_at"),
    Column("epoch", BigInteger, nullable=False),
    Column("lent", BigInteger, nullable=False),
    Column("lent_before", BigInteger, nullable=False),
)

# Generic cell rate: when a door would be open again for as many calls as its burst.
door_limit = Table(
    "door_limit",
    metadata,
    Column("name", Text, primary_key=True),
    Column("next_at", BigInteger, nullable=False, index=True),
)
