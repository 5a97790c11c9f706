"""SQL of members' roles and status, and of what goes when a member goes."""

from typing import Final

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.identity.permissions import SUPER_ADMIN
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_SET_ROLE: Final = Statement("""
    update member set role_key = :role_key
    where organization_key = :organization_key and key = :member_key
""")
_OTHER_SUPER_ADMIN: Final = Statement("""
    select 1 from member m join role r on r.key = m.role_key
    where r.organization_key = :organization_key and r.slug = :slug
      and m.organization_key = :organization_key and m.status = :active and m.key <> :member_key
    limit 1
""")


def set_role(
    transaction: Transaction, organization_key: int, member_key: int, role_key: int
) -> None:
    """Give a member a role."""
    transaction.execute(
        _SET_ROLE,
        {"organization_key": organization_key, "member_key": member_key, "role_key": role_key},
    )


def has_other_super_admin(reader: Reader, organization_key: int, member_key: int) -> bool:
    """Tell whether somebody besides the member is super admin and has signed in."""
    parameters = {
        "organization_key": organization_key,
        "member_key": member_key,
        "slug": SUPER_ADMIN,
        "active": UserStatus.ACTIVE,
    }
    return reader.value(_OTHER_SUPER_ADMIN, parameters) is not None
