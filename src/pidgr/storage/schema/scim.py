"""What directories have said about members (SCIM)."""

from sqlalchemy import Column, ForeignKey, Index, Table, text

from pidgr.storage.schema.columns import BIG, flag, metadata, organization_key, text_column

scim_user = Table(
    "scim_user",
    metadata,
    Column("member_key", BIG, ForeignKey("member.key"), primary_key=True, autoincrement=False),
    organization_key(),
    text_column("user_name"),
    text_column("user_name_folded"),
    text_column("external_id"),
    # JSON arrays of [value, type, primary].
    text_column("emails"),
    text_column("phone_numbers"),
    # The directory has deleted them: they are deactivated members that it does not see.
    flag("withdrawn"),
    Index(
        "uq_scim_user_organization_key_user_name_folded",
        "organization_key",
        "user_name_folded",
        unique=True,
        sqlite_where=text("user_name_folded <> ''"),
        postgresql_where=text("user_name_folded <> ''"),
    ),
    Index(
        "ix_scim_user_organization_key_external_id",
        "organization_key",
        "external_id",
        sqlite_where=text("external_id <> ''"),
        postgresql_where=text("external_id <> ''"),
    ),
    Index(
        "ix_scim_user_organization_key_member_key",
        "organization_key",
        "member_key",
        sqlite_where=text("withdrawn"),
        postgresql_where=text("withdrawn"),
    ),
    sqlite_with_rowid=False,
)
