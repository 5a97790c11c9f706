"""Letting in whom an organization's provider has recognised (SEMANTICS 2.13, 3.3)."""

import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any, Final

import structlog

from pidgr.audit import trail
from pidgr.audit.trail import Actor, ActorKind
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.user_pb import UserProfile, UserStatus
from pidgr.directory import member_store, organization_store
from pidgr.directory.member_store import StoredMember
from pidgr.directory.profile import ATTRIBUTE_VALUE_LENGTH, FIELD_LENGTH, PROFILE_FIELDS
from pidgr.directory.profile_change import change_profile
from pidgr.errors import InvalidArgumentError, PidgrError
from pidgr.identity import identity_store, store
from pidgr.identity.sso import domains
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.storage.transaction import Transaction
from pidgr.validation import fold_address

_CUSTOM: Final = "custom:"

log = structlog.get_logger("pidgr.identity")


class NotAdmittedError(PidgrError):
    """The provider knows the person, and the organization does not let them in.

    ``reason`` is ``not_invited``, ``ended`` or ``other_domain``.
    """

    reason = "not_invited"


def admit(
    transaction: Transaction, provider: StoredProvider, claims: Mapping[str, Any], now: int
) -> str:
    """Return the subject of a member, whose invitation is accepted and whose profile is filled.

    Only an address of the domain that the organization has proved counts, and only in this
    organization: its provider speaks for nobody elsewhere.

    Raises:
        NotAdmittedError: an address of another domain, of nobody here, or of a deactivated member.
    """
    email = claims.get(provider.email_attribute)
    if (
        not isinstance(email, str)
        or domains.of_address(email) != provider.domain
        or claims.get("email_verified", True) not in (True, "true")
    ):
        raise NotAdmittedError("the address is not of the organization", reason="other_domain")
    organization_key = provider.organization_key
    member = member_store.member_of_address(transaction, organization_key, fold_address(email))
    if member is None:
        raise NotAdmittedError("the address is not invited", reason="not_invited")
    if member.status == UserStatus.DEACTIVATED:
        raise NotAdmittedError("the membership was ended", reason="ended")
    subject = identity_store.subject_of_member(transaction, organization_key, member.key)
    if subject is None:
        subject = store.ensure_identity(
            transaction, fold_address(email), secrets.token_hex(16), now
        )
    store.activate_member(
        transaction,
        member.id,
        subject,
        active=UserStatus.ACTIVE,
        deactivated=UserStatus.DEACTIVATED,
    )
    _fill_profile(transaction, provider, member, claims, now)
    return subject


def _fill_profile(
    transaction: Transaction,
    provider: StoredProvider,
    member: StoredMember,
    claims: Mapping[str, Any],
    now: int,
) -> None:
    """Merge what the provider tells into the profile; a value that cannot be is left out."""
    fields: dict[str, str] = {}
    attributes: dict[str, str] = {}
    for name, value in _told(transaction, provider, claims):
        if name.startswith(_CUSTOM):
            attributes[name.removeprefix(_CUSTOM)] = value[:ATTRIBUTE_VALUE_LENGTH]
        elif name in PROFILE_FIELDS:
            fields[name] = value[:FIELD_LENGTH]
    if not fields and not attributes:
        return
    profile = UserProfile(**fields, custom_attributes=attributes)
    try:
        with transaction.savepoint():
            _, changed = change_profile(transaction, provider.organization_key, member.id, profile)
    except InvalidArgumentError as error:
        violations = [violation.field for violation in error.violations]
        log.warning("a provider tells what no profile can hold", fields=violations)
        return
    if changed:
        actor = Actor(provider.organization_key, ActorKind.USER, member.id)
        trail.record(
            transaction,
            actor,
            AuditEventType.PROFILE_UPDATED,
            "user",
            member.id,
            now=now,
            fields=changed,
            source="sso",
        )


def _told(
    transaction: Transaction, provider: StoredProvider, claims: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield profile fields with what the claims say of them; the organization's mappings win."""
    organization = organization_store.organization(transaction, provider.organization_key)
    mappings = [
        (provider.given_name_attribute, "first_name"),
        (provider.family_name_attribute, "last_name"),
        *((claim, field) for claim, field in json.loads(organization.sso_attribute_mappings)),
    ]
    for claim, field in mappings:
        value = claims.get(claim)
        if isinstance(value, list):
            value = ", ".join(str(one) for one in value)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            text = str(value).replace("\0", "").strip()
            if text:
                yield field, text
