"""Who signs in, and with what."""

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, SmallInteger, Table, Text

from pidgr.storage.schema.columns import (
    BIG,
    ZERO,
    count,
    id_,
    key,
    metadata,
    organization_key,
    text_column,
    time,
)

# A person who signs in, whatever number of organizations they belong to.
identity = Table(
    "identity",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("email_folded", Text, nullable=False, unique=True),
    time("created_at"),
)

# Who a person is to a trusted issuer of tokens.
external_identity = Table(
    "external_identity",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("external_subject", Text, primary_key=True),
    Column("subject", Text, ForeignKey("identity.subject"), nullable=False),
    time("created_at"),
    sqlite_with_rowid=False,
)

# A code on its way to an address. It belongs to whoever holds the attempt's secret id.
sign_in_attempt = Table(
    "sign_in_attempt",
    metadata,
    key(),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("email_folded", Text, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    # For the mail; gone once that is sent.
    Column("sealed_code", LargeBinary, nullable=True),
    count("tries"),
    Column("expires_at", BigInteger, nullable=False, index=True),
    time("used_at", optional=True),
)

# One sign-in and all the refresh tokens that follow from it: only the newest one is good.
sign_in_session = Table(
    "sign_in_session",
    metadata,
    key(),
    Column("handle", LargeBinary, nullable=False, unique=True),
    Column("digest", LargeBinary, nullable=False),
    Column("subject", Text, ForeignKey("identity.subject"), nullable=False, index=True),
    # How the person proved who they are, in the words of RFC 8176.
    text_column("method"),
    # When they did so, in microseconds; 0 where nobody can tell.
    Column("authenticated_at", BigInteger, nullable=False, server_default=ZERO),
    # Where it acts. No foreign key: a session may outlive an organization, and ends when used.
    Column("organization_key", BIG, nullable=True),
    time("created_at"),
    time("refreshed_at"),
    Column("expires_at", BigInteger, nullable=False, index=True),
    time("revoked_at", optional=True),
)

# Who has signed in on a page, until their client asks for tokens; by the hash of the code.
sign_in_arrival = Table(
    "sign_in_arrival",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    text_column("subject"),
    text_column("method"),
    Column("authenticated_at", BigInteger, nullable=False, server_default=ZERO),
    # The only one where it counts, if it is a provider's word.
    Column("organization_key", BIG, nullable=True),
    text_column("challenge"),
    Column("expires_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)

api_key = Table(
    "api_key",
    metadata,
    key(),
    id_(),
    organization_key(),
    text_column("name"),
    Column("key_type", SmallInteger, nullable=False),
    text_column("key_prefix"),
    Column("digest", LargeBinary, nullable=False, unique=True),
    text_column("permissions"),
    time("created_at"),
    time("last_used_at", optional=True),
    time("expires_at", optional=True),
    time("revoked_at", optional=True),
)
