"""Templates, their versions and their translations."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from pidgr.storage.schema.columns import (
    BIG,
    id_,
    key,
    metadata,
    organization_key,
    text_column,
    time,
)

template = Table(
    "template",
    metadata,
    key(),
    id_(),
    organization_key(),
    text_column("name"),
    Column("type", SmallInteger, nullable=False),
    text_column("source_locale"),
    Column("latest_version", Integer, nullable=False),
    Index("ix_template_organization_key_key", "organization_key", "key"),
)

template_version = Table(
    "template_version",
    metadata,
    Column("template_key", BIG, ForeignKey("template.key"), primary_key=True),
    Column("version", Integer, primary_key=True),
    text_column("title"),
    text_column("body"),
    # JSON array of the contract's TemplateVariable.
    Column("variables", Text, nullable=False, server_default=text("'[]'")),
    time("created_at"),
)

template_translation = Table(
    "template_translation",
    metadata,
    key(),
    id_(),
    Column("template_key", BIG, ForeignKey("template.key"), nullable=False),
    Column("version", Integer, nullable=False),
    text_column("locale"),
    text_column("title"),
    text_column("body"),
    Column("status", SmallInteger, nullable=False),
    text_column("translated_by"),
    text_column("reviewed_by"),
    time("reviewed_at", optional=True),
    time("created_at"),
    UniqueConstraint("template_key", "version", "locale"),
)
