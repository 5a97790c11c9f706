"""Addresses are compared letter case aside and no further: "weiß" and "weiss" are two domains.

See ``pidgr.validation.fold_address``. Only addresses beyond ASCII change. Of an identity the
address as it was proved is not kept: it gets that of the member who has signed in with it first.
"""

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from alembic import op

revision: str = "0025"
down_revision: str | None = "0024"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_IDENTITIES: Final = """
    select i.subject, m.email from identity i
    join member m on m.subject = i.subject and m.email_folded = i.email_folded
    where {condition} order by m.created_at desc, m.key desc
"""
_SET_IDENTITY: Final = sa.text("update identity set email_folded = :folded where subject = :row")
_MEMBERS: Final = "select key, email from member where {condition}"
_SET_MEMBER: Final = sa.text("update member set email_folded = :folded where key = :row")
_NAMES: Final = "select member_key, user_name from scim_user where {condition}"
_SET_NAME: Final = sa.text(
    "update scim_user set user_name_folded = :folded where member_key = :row"
)


def upgrade() -> None:
    """Apply."""
    # Identities first: they are found by what members have had so far. Of several members the one
    # who comes last, and so stays, has signed in first.
    for rows, column, change in (
        (_IDENTITIES, "m.email", _SET_IDENTITY),
        (_MEMBERS, "email", _SET_MEMBER),
        (_NAMES, "user_name", _SET_NAME),
    ):
        _fold(rows, column, change)


def _fold(rows: str, column: str, change: sa.TextClause) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        beyond_ascii = f"char_length({column}) <> octet_length({column})"
    else:
        beyond_ascii = f"length({column}) <> length(cast({column} as blob))"
    for row, value in connection.execute(sa.text(rows.format(condition=beyond_ascii))).all():
        connection.execute(change, {"row": row, "folded": value.strip().lower()})
