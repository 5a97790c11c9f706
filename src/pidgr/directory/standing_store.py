"""SQL of members' roles and status, and of what goes when a member goes."""

from typing import Final

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import member_store
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
_LOCK: Final = Statement("""
    select key from member where organization_key = :organization_key and key = :member_key
    {for_update}
""")
_SET_STATUS: Final = Statement("""
    update member set status = :status
    where organization_key = :organization_key and key = :member_key
""")
_SET_RESTRICTED: Final = Statement("""
    update member set processing_restricted = :restricted
    where organization_key = :organization_key and key = :member_key
""")
_INVITE_AGAIN: Final = Statement("""
    update member set status = :status, subject = null
    where organization_key = :organization_key and key = :member_key
""")
_PART: Final = Statement("""
    update member set subject = null
    where organization_key = :organization_key and key = :member_key
""")
_END_SESSIONS: Final = Statement("""
    update sign_in_session set revoked_at = :now
    where organization_key = :organization_key and revoked_at is null
      and subject = (
        select subject from member
        where organization_key = :organization_key and key = :member_key)
""")
_SILENCE_DEVICES: Final = Statement("""
    update device set active = false
    where organization_key = :organization_key and member_key = :member_key
""")
_FORGET_BROWSERS: Final = Statement("""
    delete from web_push_subscription
    where organization_key = :organization_key and member_key = :member_key
""")
_FORGET_TELEGRAM: Final = Statement("""
    delete from telegram_chat
    where organization_key = :organization_key and member_key = :member_key
""")
_DELETE_DEVICES: Final = Statement("""
    delete from device where organization_key = :organization_key and member_key = :member_key
""")
_DELETE_INVITATION: Final = Statement("""
    delete from invitation_mail
    where organization_key = :organization_key and member_key = :member_key
""")
_DELETE_PROVISIONED: Final = Statement("""
    delete from scim_user
    where organization_key = :organization_key and member_key = :member_key
""")
_LEAVE_REPORTS: Final = Statement("""
    update member set manager_id = ''
    where organization_key = :organization_key and manager_id = :member_id and manager_id <> ''
""")
_DELETE_MEMBER: Final = Statement("""
    delete from member where organization_key = :organization_key and key = :member_key
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


def lock_member(transaction: Transaction, organization_key: int, member_key: int) -> None:
    """Keep memberships and devices from being added to a member meanwhile."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    transaction.value(_LOCK, parameters)


def set_status(
    transaction: Transaction, organization_key: int, member_key: int, status: UserStatus
) -> None:
    """Change where a member stands."""
    transaction.execute(
        _SET_STATUS,
        {"organization_key": organization_key, "member_key": member_key, "status": status},
    )


def set_restricted(
    transaction: Transaction, organization_key: int, member_key: int, *, restricted: bool
) -> None:
    """Leave a member out of campaigns and analytics, or let them in again."""
    transaction.execute(
        _SET_RESTRICTED,
        {
            "organization_key": organization_key,
            "member_key": member_key,
            "restricted": restricted,
        },
    )


def invite_again(transaction: Transaction, organization_key: int, member_key: int) -> None:
    """Make a member INVITED and part them from the person who signed in as them."""
    transaction.execute(
        _INVITE_AGAIN,
        {
            "organization_key": organization_key,
            "member_key": member_key,
            "status": UserStatus.INVITED,
        },
    )


def part(transaction: Transaction, organization_key: int, member_key: int) -> None:
    """Part a member from the person who signed in as them: whoever has the address is next."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    transaction.execute(_PART, parameters)


def end_sessions(
    transaction: Transaction, organization_key: int, member_key: int, now: int
) -> None:
    """Sign a member out of this organization; the person stays signed in to their others."""
    parameters = {"organization_key": organization_key, "member_key": member_key, "now": now}
    transaction.execute(_END_SESSIONS, parameters)


def silence_devices(transaction: Transaction, organization_key: int, member_key: int) -> None:
    """Stop pushes to every device and browser of a member, those of queued sends included."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    transaction.execute(_SILENCE_DEVICES, parameters)
    transaction.execute(_FORGET_BROWSERS, parameters)


def delete_member(
    transaction: Transaction, organization_key: int, member_key: int, member_id: str
) -> None:
    """Delete a member, who must be in no group or team any more, with devices.

    Whoever named them as manager has none then.
    """
    parameters = {
        "organization_key": organization_key,
        "member_key": member_key,
        "member_id": member_id,
    }
    for statement in (
        _LEAVE_REPORTS,
        _DELETE_DEVICES,
        _FORGET_BROWSERS,
        _FORGET_TELEGRAM,
        _DELETE_INVITATION,
        _DELETE_PROVISIONED,
    ):
        transaction.execute(statement, parameters)
    deleted = transaction.execute(_DELETE_MEMBER, parameters)
    member_store.change_count(transaction, organization_key, -deleted)
