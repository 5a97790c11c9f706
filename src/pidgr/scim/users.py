"""What a directory does with members: makes, finds, changes and deletes them."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Final

from pidgr.audit import trail
from pidgr.audit.trail import Fact
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory import (
    member_store,
    organization_store,
    person_store,
    role_store,
    standing,
    standing_store,
)
from pidgr.directory.collective_store import GROUPS
from pidgr.directory.granting import require_role
from pidgr.directory.invitation_mail import InvitationMail
from pidgr.directory.member_store import NewMember, StoredMember
from pidgr.directory.profile import PROFILE_FIELDS
from pidgr.directory.profile_change import check_manager
from pidgr.errors import AlreadyExistsError, NotFoundError
from pidgr.identity import permissions
from pidgr.identity.caller import Caller
from pidgr.scim import payloads, user_store
from pidgr.scim.lookups import Lookup
from pidgr.scim.paging import PageEnds, Window
from pidgr.scim.payloads import Payload
from pidgr.scim.person import Person, Provisioned, person_of, user_of, with_name
from pidgr.scim.resources import POLICY, ScimUser
from pidgr.scim.user_store import StoredUser
from pidgr.scim.versions import Match, represent, stamp, version_of
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import fold_address, is_uuid

READS: Final = (Permission.MEMBERS_READ, Permission.MEMBERS_MANAGE)
WRITES: Final = (Permission.MEMBERS_MANAGE,)

T = AuditEventType

_KIND: Final = "users"
_MOST_ALIKE: Final = 20
_FIRST: Final = ("", 0)


class Users:
    """The members of organizations as directories see them.

    Args:
        clock: tells when something happens.
        invitation_mail: tells people that they may sign in.
        base: URL of the SCIM service, without a slash at its end.
    """

    def __init__(self, clock: Clock, invitation_mail: InvitationMail, base: str) -> None:
        self._clock = clock
        self._invitation_mail = invitation_mail
        self._base = base
        self._ends = PageEnds()

    def get(self, unit: Reader, caller: Caller, user_id: str) -> ScimUser:
        """Return one.

        Raises:
            NotFoundError: there is none.
        """
        return self._shown(unit, caller, [self._find(unit, caller, user_id)])[0]

    def find(self, unit: Reader, caller: Caller, lookup: Lookup) -> list[ScimUser]:
        """Return those of whom an attribute has a value."""
        key, value = caller.organization_key, lookup.value
        match lookup.attribute:
            case "userName":
                found = user_store.of_user_name(unit, key, fold_address(value), _MOST_ALIKE)
            case "externalId":
                found = user_store.of_external_id(unit, key, value, _MOST_ALIKE)
            case "emails":
                found = _as_list(user_store.of_address(unit, key, fold_address(value)))
            case _:
                found = _as_list(user_store.user(unit, key, value.lower()))
        return self._shown(unit, caller, [one for one in found if not one.withdrawn])

    def page(self, unit: Reader, caller: Caller, window: Window) -> tuple[list[ScimUser], int]:
        """Return some in the order of their names, and how many there are in all."""
        key = caller.organization_key
        total = member_store.count_members(unit, key) - user_store.count_withdrawn(unit, key)
        if not window.count or window.start > total:
            return [], total
        after = self._before(unit, key, window.start)
        found = [] if after is None else user_store.page(unit, key, after, window.count)
        if found:
            last = found[-1].member
            self._ends.note(_KIND, key, window.start + len(found), (last.sort_name, last.key))
        return self._shown(unit, caller, found), total

    def create(self, unit: Transaction, caller: Caller, user: ScimUser) -> ScimUser:
        """Make a member who is invited, or have one back whom a directory had deleted.

        Raises:
            InvalidArgumentError: something malformed, or a manager who cannot be.
            AlreadyExistsError: the name or the address is taken.
            PermissionDeniedError: without MEMBERS_INVITE.
        """
        caller.require(Permission.MEMBERS_INVITE)
        person = person_of(user)
        person = replace(person, name=with_name(person))
        key = caller.organization_key
        organization_store.lock_organization(unit, key)
        known = user_store.of_address(unit, key, fold_address(person.email))
        if known is not None and not known.withdrawn:
            raise _taken("an address")
        self._require_free_name(unit, key, person, None)
        if known is None:
            member_id = self._insert(unit, caller, person)
        else:
            member_id = known.member.id
            self._change(unit, caller, known, person)
        self._record(unit, caller, T.SCIM_USER_PROVISIONED, member_id)
        return self.get(unit, caller, member_id)

    def replace(
        self, unit: Transaction, caller: Caller, user_id: str, payload: Payload, match: Match
    ) -> ScimUser:
        """Make a member what a directory sends whole.

        Raises:
            SCIMException: it is no User, or not the version that the directory knows.
            InvalidArgumentError, AlreadyExistsError: as above.
            NotFoundError: there is no such member.
            PermissionDeniedError: another address for somebody who may more than the caller.
            FailedPreconditionError: the last super admin would be shut out.
        """
        stored, current = self._to_change(unit, caller, user_id, match)
        user = payloads.user(payload, represent(current))
        user.replace(current)
        person = person_of(user)
        return self._save(unit, caller, stored, current, replace(person, name=with_name(person)))

    def patch(
        self, unit: Transaction, caller: Caller, user_id: str, payload: Payload, match: Match
    ) -> ScimUser:
        """Change what a directory wants changed of a member.

        Raises: as ``replace``.
        """
        stored, current = self._to_change(unit, caller, user_id, match)
        user = current.model_copy(deep=True)
        payloads.patch(ScimUser, payload).patch(user, scim_policy=POLICY)
        return self._save(unit, caller, stored, current, person_of(user))

    def delete(self, unit: Transaction, caller: Caller, user_id: str, match: Match) -> None:
        """Shut a member out, and show them to directories no more.

        Raises:
            NotFoundError: there is no such member.
            FailedPreconditionError: it is the last super admin.
        """
        stored, _ = self._to_change(unit, caller, user_id, match)
        key = caller.organization_key
        member = stored.member
        if member.status == UserStatus.DEACTIVATED:
            self._record(unit, caller, T.SCIM_USER_DEPROVISIONED, member.id)
        else:
            self._let_in_or_out(unit, caller, member, active=False)
        user_store.put(unit, key, member.key, Provisioned(), "", withdrawn=True)

    def _to_change(
        self, unit: Transaction, caller: Caller, user_id: str, match: Match
    ) -> tuple[StoredUser, ScimUser]:
        organization_store.lock_organization(unit, caller.organization_key)
        stored = self._find(unit, caller, user_id)
        current = self._shown(unit, caller, [stored])[0]
        match.require(version_of(current))
        return stored, current

    def _save(
        self,
        unit: Transaction,
        caller: Caller,
        stored: StoredUser,
        current: ScimUser,
        person: Person,
    ) -> ScimUser:
        before = person_of(current)
        names = [field.name for field in fields(Person) if field.name != "active"]
        changed = [name for name in names if getattr(before, name) != getattr(person, name)]
        if changed or before.active != person.active:
            self._require_free_name(unit, caller.organization_key, person, stored)
            self._change(unit, caller, stored, person)
        if changed:
            self._record(unit, caller, T.SCIM_USER_UPDATED, stored.member.id, fields=changed)
        return self.get(unit, caller, stored.member.id)

    def _record(
        self,
        unit: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        member_id: str,
        **facts: Fact,
    ) -> None:
        now = self._clock.now()
        trail.record(unit, caller, event_type, "user", member_id, now=now, **facts)

    def _insert(self, unit: Transaction, caller: Caller, person: Person) -> str:
        key = caller.organization_key
        role = role_store.roles_by_slug(unit, key)[permissions.EMPLOYEE]
        status = UserStatus.INVITED if person.active else UserStatus.DEACTIVATED
        new = NewMember(person.email, person.name, status, role.key, person.user_profile())
        if person.manager_id:
            check_manager(unit, key, new.id, person.manager_id)
        try:
            member_store.insert_members(unit, key, [new], self._clock.now())
        except UniqueViolationError as error:
            raise _taken("an address") from error
        member = member_store.existing_member(unit, key, new.id)
        user_store.put(unit, key, member.key, _provisioned(person), fold_address(person.user_name))
        if person.active:
            self._invitation_mail.enqueue(unit, key, [new.id])
        return new.id

    def _change(
        self, unit: Transaction, caller: Caller, stored: StoredUser, person: Person
    ) -> None:
        key, member = caller.organization_key, stored.member
        if fold_address(person.email) != fold_address(member.email):
            self._readdress(unit, caller, member)
        try:
            person_store.rename(unit, key, member.key, person.email, person.name)
        except UniqueViolationError as error:
            raise _taken("an address") from error
        if person.manager_id and person.manager_id != member.manager_id:
            check_manager(unit, key, member.id, person.manager_id)
        kept = {name: getattr(member, name) for name in (*PROFILE_FIELDS, "custom_attributes")}
        person_store.update_profile(unit, key, member.key, kept | person.profile())
        user_store.put(unit, key, member.key, _provisioned(person), fold_address(person.user_name))
        self._let_in_or_out(unit, caller, member, active=person.active)

    def _let_in_or_out(
        self, unit: Transaction, caller: Caller, member: StoredMember, *, active: bool
    ) -> None:
        now = self._clock.now()
        if not active:
            standing.deactivate(unit, caller, member.id, now, T.SCIM_USER_DEPROVISIONED)
        elif member.status == UserStatus.DEACTIVATED:
            standing.reactivate(unit, caller, member.id, now)
            self._invitation_mail.enqueue(unit, caller.organization_key, [member.id])

    def _readdress(self, unit: Transaction, caller: Caller, member: StoredMember) -> None:
        """Make ready for another address: whoever has it may sign in as the member from then on.

        So it is the same as giving away what the member may do. What every member may do is not
        held against the caller, as for invitations.
        """
        require_role(caller, member.role_slug, member.role_permissions)
        key = caller.organization_key
        standing_store.end_sessions(unit, key, member.key, self._clock.now())
        standing_store.silence_devices(unit, key, member.key)
        standing_store.part(unit, key, member.key)

    def _require_free_name(
        self, unit: Reader, organization_key: int, person: Person, own: StoredUser | None
    ) -> None:
        folded = fold_address(person.user_name)
        named = user_store.of_user_name(unit, organization_key, folded, _MOST_ALIKE)
        own_key = own.member.key if own else None
        if any(one.member.key != own_key and not one.withdrawn for one in named):
            raise _taken("a userName")

    def _find(self, unit: Reader, caller: Caller, user_id: str) -> StoredUser:
        user_id = user_id.lower()
        found = (
            user_store.user(unit, caller.organization_key, user_id) if is_uuid(user_id) else None
        )
        if found is None or found.withdrawn:
            raise NotFoundError("no User has this id")
        return found

    def _before(self, unit: Reader, organization_key: int, start: int) -> tuple[str, int] | None:
        """Return behind which position an index from 1 is; None where there is nothing."""
        if start == 1:
            return _FIRST
        known = self._ends.find(_KIND, organization_key, start)
        # The last one before it: one less, and indexes of the database count from 0.
        return known or user_store.position(unit, organization_key, start - 2)

    def _shown(self, unit: Reader, caller: Caller, users: Sequence[StoredUser]) -> list[ScimUser]:
        ids = [stored.member.id for stored in users]
        groups: dict[str, list[tuple[str, str]]] = {id_: [] for id_ in ids}
        for member_id, group in GROUPS.memberships(unit, caller.organization_key, ids):
            groups[member_id].append((group.id, group.name))
        shown = [
            user_of(stored.member, stored.provisioned, groups[stored.member.id], self._base)
            for stored in users
        ]
        for user in shown:
            stamp(user)
        return shown


def _provisioned(person: Person) -> Provisioned:
    return Provisioned(person.user_name, person.external_id, person.emails, person.phone_numbers)


def _as_list(found: StoredUser | None) -> list[StoredUser]:
    return [] if found is None else [found]


def _taken(what: str) -> AlreadyExistsError:
    return AlreadyExistsError(f"another member has such {what} already")
