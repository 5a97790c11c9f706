"""Single sign-on: an organization's identity provider."""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from pidgr.storage.schema.columns import BIG, id_, key, metadata, text_column, time

sso_provider = Table(
    "sso_provider",
    metadata,
    key(),
    id_(),
    Column("organization_key", BIG, ForeignKey("organization.key"), nullable=False),
    # In lower case, as name servers know it.
    Column("domain", Text, nullable=False),
    Column("type", SmallInteger, nullable=False),
    text_column("metadata_url"),
    text_column("name"),
    # What the provider calls the attributes of a person.
    text_column("email_attribute"),
    text_column("given_name_attribute"),
    text_column("family_name_attribute"),
    # JSON of what its metadata said, and when that was read.
    text_column("configuration"),
    time("configured_at"),
    # What the domain's TXT record must say.
    text_column("domain_token"),
    # Nobody comes in before the domain is known to be the organization's.
    Column("verified_at", BigInteger, nullable=True),
    # Who we are to an OpenID provider.
    text_column("client_id"),
    Column("sealed_client_secret", LargeBinary, nullable=True),
    time("created_at"),
    time("updated_at"),
    UniqueConstraint("organization_key"),
    # A claim alone keeps nobody else from proving that the domain is theirs.
    Index(
        "uq_sso_provider_verified_domain",
        "domain",
        unique=True,
        sqlite_where=text("verified_at is not null"),
        postgresql_where=text("verified_at is not null"),
    ),
)

# A person on the way to a provider; by the hash of the state. No foreign key: a provider that is
# disconnected meanwhile takes nobody in.
sso_attempt = Table(
    "sso_attempt",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("sso_provider_key", BIG, nullable=False),
    Column("browser_digest", LargeBinary, nullable=False),
    # What must be known when they come back.
    Column("sealed", LargeBinary, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    sqlite_with_rowid=False,
)
