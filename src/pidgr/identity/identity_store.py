"""SQL of people: who an address or an outside subject is, and where they are members."""

from dataclasses import dataclass
from typing import Final

from pidgr.identity import permissions
from pidgr.identity.sso.provider_store import IN_USE
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Membership:
    """One of the organizations of a person, seen from the person."""

    member_id: str
    email: str
    subject: str | None
    status: int
    preferred_locale: str
    organization_key: int
    organization_id: str
    organization_name: str
    default_locale: str
    otp_disabled: bool
    # The domain whose people sign in by the organization's provider, if there are any.
    sso_domain: str | None
    is_super_admin: bool


_SELECT: Final = f"""
    select m.id, m.email, m.subject, m.status, m.preferred_locale, o.key, o.id, o.name,
           o.default_locale, o.otp_disabled, p.domain, r.slug = '{permissions.SUPER_ADMIN}'
    from member m
    join organization o on o.key = m.organization_key
    join role r on r.key = m.role_key
    left join sso_provider p on p.organization_key = o.key and {IN_USE}
"""
# Without expired sandboxes, as they joined; suspended organizations, of which little can be read,
# last.
_ORDER: Final = """
    and (o.expires_at is null or o.expires_at > :now) order by o.suspended, m.created_at, m.key
"""
_OF_SUBJECT: Final = Statement(f"{_SELECT} where m.subject = :subject {_ORDER}")
_OF_ADDRESS: Final = Statement(f"{_SELECT} where m.email_folded = :email_folded {_ORDER}")
_SUBJECT_OF_ADDRESS: Final = Statement(
    "select subject from identity where email_folded = :email_folded"
)
_SUBJECT_OF_MEMBER: Final = Statement("""
    select subject from member where organization_key = :organization_key and key = :member_key
""")
_ADDRESS_OF_SUBJECT: Final = Statement("select email_folded from identity where subject = :subject")
_EXTERNAL: Final = Statement("""
    select subject from external_identity
    where issuer = :issuer and external_subject = :external_subject
""")
_LINK_EXTERNAL: Final = Statement("""
    insert into external_identity (issuer, external_subject, subject, created_at)
    select :issuer, :external_subject, subject, :now from identity
    where email_folded = :email_folded
    on conflict (issuer, external_subject) do nothing
""")


def memberships(reader: Reader, subject: str, now: int) -> list[Membership]:
    """Return where a person is a member, whatever the status, in the order they joined."""
    return reader.records(Membership, _OF_SUBJECT, {"subject": subject, "now": now})


def memberships_of_address(reader: Reader, email_folded: str, now: int) -> list[Membership]:
    """Return where an address is a member, whatever the status, in the order it joined."""
    parameters = {"email_folded": email_folded, "now": now}
    return reader.records(Membership, _OF_ADDRESS, parameters)


def subject_of_address(reader: Reader, email_folded: str) -> str | None:
    """Return who signs in with an address, if anyone has."""
    subject: str | None = reader.value(_SUBJECT_OF_ADDRESS, {"email_folded": email_folded})
    return subject


def subject_of_member(reader: Reader, organization_key: int, member_key: int) -> str | None:
    """Return who signs in as a member, if anyone has."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    subject: str | None = reader.value(_SUBJECT_OF_MEMBER, parameters)
    return subject


def address_of_subject(reader: Reader, subject: str) -> str:
    """Return the folded address a person signs in with."""
    address: str = reader.value(_ADDRESS_OF_SUBJECT, {"subject": subject})
    return address


def address_if_known(reader: Reader, subject: str) -> str | None:
    """Return the same, or None when nobody is that person any more."""
    address: str | None = reader.value(_ADDRESS_OF_SUBJECT, {"subject": subject})
    return address


def external_subject(reader: Reader, issuer: str, external_subject: str) -> str | None:
    """Return who a trusted issuer's subject is here, if that is known already."""
    parameters = {"issuer": issuer, "external_subject": external_subject}
    subject: str | None = reader.value(_EXTERNAL, parameters)
    return subject


def link_external_subject(
    transaction: Transaction, issuer: str, subject: str, email_folded: str, now: int
) -> str | None:
    """Remember who a trusted issuer's subject is by their verified address, and return it."""
    parameters = {
        "issuer": issuer,
        "external_subject": subject,
        "email_folded": email_folded,
        "now": now,
    }
    transaction.execute(_LINK_EXTERNAL, parameters)
    return external_subject(transaction, issuer, subject)
