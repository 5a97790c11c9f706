"""Inviting many people at once (SEMANTICS 2.8)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import member_store
from pidgr.directory.member_store import NewMember
from pidgr.errors import Violations
from pidgr.storage.transaction import Transaction, UniqueViolationError
from pidgr.validation import check_email, fold_address

# How often a batch may lose a race for an address to others who invite at the same time.
_ATTEMPTS: Final = 10
_KNOWN: Final = "user already exists"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What became of one address: a new member's id, or why there is none."""

    email: str
    member_id: str = ""
    error: str = ""


def distinct_addresses(emails: Sequence[str]) -> list[str]:
    """Return the addresses in their order, each once, letter case aside."""
    first: dict[str, str] = {}
    for email in emails:
        first.setdefault(fold_address(email), email)
    return list(first.values())


def invite_many(
    transaction: Transaction,
    organization_key: int,
    emails: Sequence[str],
    role_key: int,
    now: int,
) -> list[Invitation]:
    """Store those as INVITED who can be; the others do not stop them.

    Args:
        transaction: the unit of work.
        organization_key: whose members they become.
        emails: distinct addresses.
        role_key: what all of them may do.
        now: time of the invitation, in microseconds.
    """
    for _ in range(_ATTEMPTS - 1):
        try:
            with transaction.savepoint():
                return _invite(transaction, organization_key, emails, role_key, now)
        except UniqueViolationError:
            # Somebody invited one of them just now, which the next attempt sees.
            continue
    return _invite(transaction, organization_key, emails, role_key, now)


def _invite(
    transaction: Transaction,
    organization_key: int,
    emails: Sequence[str],
    role_key: int,
    now: int,
) -> list[Invitation]:
    problems = {email: _problem(email) for email in emails}
    folded = [fold_address(email) for email, problem in problems.items() if not problem]
    known = member_store.known_addresses(transaction, organization_key, folded)
    invitations: list[Invitation] = []
    members: list[NewMember] = []
    for email, problem in problems.items():
        error = problem or (_KNOWN if fold_address(email) in known else "")
        if error:
            invitations.append(Invitation(email, error=error))
            continue
        member = NewMember(email=email, name="", status=UserStatus.INVITED, role_key=role_key)
        members.append(member)
        invitations.append(Invitation(email, member_id=member.id))
    if members:
        member_store.insert_members(transaction, organization_key, members, now)
    return invitations


def _problem(email: str) -> str:
    violations = Violations()
    check_email(violations, "email", email)
    return violations.found[0].description if violations.found else ""
