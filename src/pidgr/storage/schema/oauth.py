"""Applications, what people allow them, and the tokens that follow from it.

Subjects and organizations are no foreign keys: who is gone may leave rows behind here, which open
nothing because every use looks for the member first.
"""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from pidgr.storage.schema.columns import BIG, id_, key, metadata, text_column, time

# Applications an operator has registered; lists are separated by spaces.
oauth_client = Table(
    "oauth_client",
    metadata,
    Column("id", Text, primary_key=True),
    text_column("name"),
    text_column("redirect_uris"),
    text_column("scopes"),
    time("created_at"),
)

# What a person lets an application do in one organization, until they take it back.
oauth_consent = Table(
    "oauth_consent",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("organization_key", BIG, primary_key=True, autoincrement=False),
    Column("client_id", Text, primary_key=True),
    text_column("scopes"),
    time("granted_at"),
    sqlite_with_rowid=False,
)

# One answer to an authorization request: its code, then all the refresh tokens that follow from
# it, of which only the newest is good.
oauth_grant = Table(
    "oauth_grant",
    metadata,
    key(),
    # What access tokens name it by.
    id_(),
    Column("handle", LargeBinary, nullable=False, unique=True),
    Column("client_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("organization_key", BIG, nullable=False),
    text_column("scopes"),
    text_column("redirect_uri"),
    text_column("challenge"),
    # How the person proved who they are (RFC 8176), and when.
    text_column("method"),
    time("authenticated_at"),
    Column("code_digest", LargeBinary, nullable=False),
    time("code_expires_at"),
    time("code_used_at", optional=True),
    Column("refresh_digest", LargeBinary, nullable=True),
    time("created_at"),
    time("refreshed_at", optional=True),
    Column("expires_at", BigInteger, nullable=False, index=True),
    time("revoked_at", optional=True),
    Index("ix_oauth_grant_subject_client_id", "subject", "client_id"),
)
