"""SQL that takes a person out of an organization, and out of the installation."""

from typing import Final

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_SUBJECT: Final = Statement("""
    select subject, email_folded from member
    where organization_key = :organization_key and key = :member_key
""")
_ANONYMISE: Final = Statement(f"""
    update member
    set subject = null, email = 'erased-' || id || '@invalid',
        email_folded = 'erased-' || id || '@invalid', name = '',
        sort_name = 'erased-' || id || '@invalid', status = {int(UserStatus.DEACTIVATED)},
        first_name = '', last_name = '', department = '', title = '', phone = '', location = '',
        employee_id = '', manager_name = '', start_date = '', manager_id = '',
        custom_attributes = '{{}}', data_governance_region = '', processing_restricted = true,
        theme_preference = 0, preferred_locale = '', passkey_enrolled_at = null
    where organization_key = :organization_key and key = :member_key
""")
_FORGET_DEVICES: Final = (
    Statement("""
        delete from device where organization_key = :organization_key and member_key = :member_key
    """),
    Statement("""
        delete from web_push_subscription
        where organization_key = :organization_key and member_key = :member_key
    """),
    Statement("""
        delete from telegram_chat
        where organization_key = :organization_key and member_key = :member_key
    """),
    Statement("""
        delete from invitation_mail
        where organization_key = :organization_key and member_key = :member_key
    """),
    Statement("""
        update member set manager_id = ''
        where organization_key = :organization_key and manager_id = :member_id
          and manager_id <> ''
    """),
)
# A directory sees them no more, or it would go on writing down who it was.
_WITHDRAW: Final = Statement("""
    insert into scim_user (member_key, organization_key, withdrawn)
    values (:member_key, :organization_key, true)
    on conflict (member_key) do update set
      user_name = '', user_name_folded = '', external_id = '', emails = '', phone_numbers = '',
      withdrawn = true
""")
_LEAVE: Final = (
    Statement("""
        delete from sign_in_session
        where subject = :subject and organization_key = :organization_key
    """),
    Statement("""
        delete from oauth_grant where subject = :subject and organization_key = :organization_key
    """),
    Statement("""
        delete from oauth_consent where subject = :subject and organization_key = :organization_key
    """),
)
_ELSEWHERE: Final = Statement("select 1 from member where subject = :subject limit 1")
# What refers to an identity goes before it.
_FORGET_IDENTITY: Final = (
    Statement("delete from sign_in_session where subject = :subject"),
    Statement("delete from oauth_grant where subject = :subject"),
    Statement("delete from oauth_consent where subject = :subject"),
    Statement("delete from passkey_challenge where subject = :subject"),
    Statement("delete from passkey where subject = :subject"),
    Statement("delete from external_identity where subject = :subject"),
    Statement("delete from sign_in_attempt where email_folded = :email_folded"),
    Statement("delete from identity where subject = :subject"),
)


def sign_in_of(
    reader: Reader, organization_key: int, member_key: int
) -> tuple[str | None, str] | None:
    """Return the subject a member signs in as, if they have, and their folded address."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    return reader.row(_SUBJECT, parameters)


def anonymise(
    transaction: Transaction, organization_key: int, member_key: int, member_id: str
) -> None:
    """Leave a deactivated member without anything that tells who it was."""
    parameters = {
        "organization_key": organization_key,
        "member_key": member_key,
        "member_id": member_id,
    }
    for statement in (*_FORGET_DEVICES, _ANONYMISE, _WITHDRAW):
        transaction.execute(statement, parameters)


def leave(transaction: Transaction, organization_key: int, subject: str) -> None:
    """End what a person could do in an organization by themselves or by applications."""
    parameters = {"organization_key": organization_key, "subject": subject}
    for statement in _LEAVE:
        transaction.execute(statement, parameters)


def forget_identity(transaction: Transaction, subject: str, email_folded: str) -> bool:
    """Forget how a person signs in, unless they are a member somewhere; tell whether it is gone."""
    if transaction.value(_ELSEWHERE, {"subject": subject}) is not None:
        return False
    parameters = {"subject": subject, "email_folded": email_folded}
    for statement in _FORGET_IDENTITY:
        transaction.execute(statement, parameters)
    return True
