"""Keys on people's devices, and what they must sign."""

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, Table, Text

from pidgr.storage.schema.columns import flag, id_, key, metadata, text_column, time

# A person has several, and they open every organization the person belongs to.
passkey = Table(
    "passkey",
    metadata,
    key(),
    id_(),
    Column("subject", Text, ForeignKey("identity.subject"), nullable=False, index=True),
    # What the authenticator calls it.
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    # How often it has signed, as it says; zero for ever if it does not count.
    Column("sign_count", BigInteger, nullable=False),
    # The make of the authenticator, as it says.
    text_column("aaguid"),
    text_column("transports"),
    flag("synced"),
    text_column("name"),
    time("created_at"),
    time("last_used_at", optional=True),
    # When its counter went back: somebody has a copy.
    time("suspected_at", optional=True),
)

# Random bytes that are good for one signature. Of one person who makes a key, or of anybody.
passkey_challenge = Table(
    "passkey_challenge",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    text_column("subject"),
    Column("expires_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
