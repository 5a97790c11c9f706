"""What groups and teams have in common: who may do what with them (SEMANTICS 2.5 and 2.15)."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.audit import trail
from pidgr.audit.trail import Fact
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Pagination, PaginationMeta, Permission
from pidgr.directory import member_store
from pidgr.directory.collective_store import CollectiveStore, StoredCollective, Viewer
from pidgr.directory.member_store import StoredMember
from pidgr.directory.name_order import (
    from_position,
    member_after,
    member_position,
    to_position,
)
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    NotFoundError,
    Violations,
    invalid_field,
)
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import NAME_LENGTH, check_text, fold, require_uuid, require_uuids

_DESCRIPTION_LENGTH: Final = 1_000
_BATCH: Final = 100
_NAMED_IDS: Final = 10


@dataclass(frozen=True, slots=True)
class Events:
    """What the audit trail calls that which happens to one."""

    created: AuditEventType
    updated: AuditEventType
    deleted: AuditEventType
    members_added: AuditEventType
    members_removed: AuditEventType


@dataclass(frozen=True, slots=True)
class Kind:
    """What sets groups and teams apart."""

    noun: str
    store: CollectiveStore
    all_read: Permission
    all_write: Permission
    events: Events


class Collectives:
    """Makes, shows, changes and deletes the groups or the teams of organizations."""

    def __init__(self, kind: Kind, clock: Clock, page_tokens: PageTokens) -> None:
        self._kind = kind
        self._store = kind.store
        self._clock = clock
        self._page_tokens = page_tokens

    def create(
        self, unit: Transaction, caller: Caller, name: str, description: str
    ) -> StoredCollective:
        """Make an empty one.

        Raises:
            InvalidArgumentError: a malformed field.
            AlreadyExistsError: the name is taken, letter case aside.
        """
        violations = Violations()
        check_text(violations, "name", name, NAME_LENGTH, required=True)
        check_text(violations, "description", description, _DESCRIPTION_LENGTH)
        violations.raise_if_any()
        collective_id = str(uuid.uuid4())
        try:
            self._store.insert(
                unit,
                caller.organization_key,
                collective_id=collective_id,
                name=name,
                name_folded=fold(name),
                description=description,
                created_by=caller.actor_id,
                is_default=False,
                now=self._clock.now(),
            )
        except UniqueViolationError as error:
            raise self._taken(name) from error
        self._record(unit, caller, self._kind.events.created, collective_id, name=name)
        return self._find(unit, caller, collective_id)

    def get(self, unit: Reader, caller: Caller, collective_id: str) -> StoredCollective:
        """Return one to its members, to whoever made it, and to those who see every one.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: there is none.
            PermissionDeniedError: it is none of the caller's.
        """
        found = self._find(unit, caller, self._id(collective_id))
        if not self._store.is_own(unit, caller.organization_key, found.key, _viewer(caller)):
            caller.require(self._kind.all_read, self._kind.all_write)
        return found

    def page(
        self, unit: Reader, caller: Caller, pagination: Pagination | None
    ) -> tuple[list[StoredCollective], PaginationMeta]:
        """Return a page by name: of all, or of those that the caller belongs to or made.

        Raises:
            InvalidArgumentError: a bad page size or token.
        """
        organization_key = caller.organization_key
        sees_all = caller.has(self._kind.all_read, self._kind.all_write)
        viewer = None if sees_all else _viewer(caller)
        scope = f"{self._kind.noun}s/{organization_key}/{viewer.actor_id if viewer else ''}"
        page = self._page_tokens.read(pagination, scope)
        after = from_position(page.position)
        found = self._store.page(unit, organization_key, viewer, after, page.size + 1)
        total = self._store.count(unit, organization_key, viewer)
        positions = [to_position(stored.name_folded) for stored in found]
        return found[: page.size], self._page_tokens.meta(scope, page, positions, total)

    def update(
        self, unit: Transaction, caller: Caller, collective_id: str, name: str, description: str
    ) -> StoredCollective:
        """Rename or describe one; what is empty stays.

        Raises:
            InvalidArgumentError: a malformed field.
            NotFoundError: there is none.
            PermissionDeniedError: the caller may change only those they made.
            FailedPreconditionError: the default one would get another name.
            AlreadyExistsError: the name is taken, letter case aside.
        """
        violations = Violations()
        if name:
            check_text(violations, "name", name, NAME_LENGTH, required=True)
        check_text(violations, "description", description, _DESCRIPTION_LENGTH)
        collective_id = self._id(collective_id)
        violations.raise_if_any()
        found = self._lock(unit, caller, collective_id)
        self._require_write(caller, found)
        name = name or found.name
        description = description or found.description
        if found.is_default and name != found.name:
            raise FailedPreconditionError(f"the default {self._kind.noun} cannot be renamed")
        if (name, description) == (found.name, found.description):
            return found
        try:
            self._store.update(
                unit,
                caller.organization_key,
                found.key,
                name=name,
                name_folded=fold(name),
                description=description,
                now=self._clock.now(),
            )
        except UniqueViolationError as error:
            raise self._taken(name) from error
        fields = trail.changed_fields(
            {"name": found.name, "description": found.description},
            {"name": name, "description": description},
        )
        self._record(
            unit, caller, self._kind.events.updated, collective_id, name=name, fields=fields
        )
        return self._find(unit, caller, collective_id)

    def delete(self, unit: Transaction, caller: Caller, collective_id: str) -> None:
        """Delete one with its memberships.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: there is none.
            PermissionDeniedError: the caller may delete only those they made.
            FailedPreconditionError: it is the default one.
        """
        found = self._lock(unit, caller, self._id(collective_id))
        self._require_write(caller, found)
        if found.is_default:
            raise FailedPreconditionError(f"the default {self._kind.noun} cannot be deleted")
        self._store.delete(unit, caller.organization_key, found.key)
        self._record(unit, caller, self._kind.events.deleted, found.id, name=found.name)

    def add_members(
        self, unit: Transaction, caller: Caller, collective_id: str, member_ids: Sequence[str]
    ) -> StoredCollective:
        """Add members of the organization, all or none; those already in it stay.

        Raises:
            InvalidArgumentError: no id, too many, or one that is not a member's.
            NotFoundError: there is no such group or team.
            PermissionDeniedError: the caller may change only those they made.
        """
        found = self._to_change(unit, caller, collective_id, member_ids)
        self._require_write(caller, found)
        change, event = self._store.add, self._kind.events.members_added
        return self._change_members(unit, caller, found, member_ids, change, event)

    def remove_members(
        self, unit: Transaction, caller: Caller, collective_id: str, member_ids: Sequence[str]
    ) -> StoredCollective:
        """Take members out, all or none; those not in it are passed over.

        Anybody may take out themself alone.

        Raises: as ``add_members``.
        """
        found = self._to_change(unit, caller, collective_id, member_ids)
        if caller.person is None or {id_.lower() for id_ in member_ids} != {caller.person.id}:
            self._require_write(caller, found)
        change, event = self._store.remove, self._kind.events.members_removed
        return self._change_members(unit, caller, found, member_ids, change, event)

    def members_page(
        self, unit: Reader, caller: Caller, collective_id: str, pagination: Pagination | None
    ) -> tuple[list[StoredMember], PaginationMeta]:
        """Return a page of members by name, to those who may see the group or team itself.

        Raises:
            InvalidArgumentError: the id is not a UUID, or a bad page size or token.
            NotFoundError: there is none.
            PermissionDeniedError: it is none of the caller's.
        """
        found = self.get(unit, caller, collective_id)
        scope = f"{self._kind.noun}-members/{found.key}"
        page = self._page_tokens.read(pagination, scope)
        members = self._store.members_page(
            unit, caller.organization_key, found.key, member_after(page.position), page.size + 1
        )
        positions = [member_position(member.sort_name, member.key) for member in members]
        meta = self._page_tokens.meta(scope, page, positions, found.member_count)
        return members[: page.size], meta

    def _to_change(
        self, unit: Transaction, caller: Caller, collective_id: str, member_ids: Sequence[str]
    ) -> StoredCollective:
        require_uuids("user_ids", member_ids, _BATCH)
        return self._find(unit, caller, self._id(collective_id))

    def _change_members(
        self,
        unit: Transaction,
        caller: Caller,
        found: StoredCollective,
        member_ids: Sequence[str],
        change: Callable[[Transaction, int, int, Sequence[int]], set[int]],
        event_type: AuditEventType,
    ) -> StoredCollective:
        organization_key = caller.organization_key
        wanted = dict.fromkeys(member_id.lower() for member_id in member_ids)
        keys = member_store.hold_members(unit, organization_key, list(wanted))
        unknown = [member_id for member_id in wanted if member_id not in keys]
        if unknown:
            named = ", ".join(unknown[:_NAMED_IDS])
            raise invalid_field("user_ids", f"not members of the organization: {named}")
        locked = self._lock(unit, caller, found.id)
        changed = change(unit, organization_key, locked.key, list(keys.values()))
        if changed:
            concerned = [member_id for member_id in wanted if keys[member_id] in changed]
            self._record(
                unit, caller, event_type, found.id, count=len(concerned), user_ids=concerned
            )
        return self._find(unit, caller, found.id)

    def _record(
        self,
        unit: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        collective_id: str,
        **facts: Fact,
    ) -> None:
        event = trail.Event(event_type, self._kind.noun, collective_id, facts)
        trail.record_event(unit, caller, event, now=self._clock.now())

    def _id(self, collective_id: str) -> str:
        return require_uuid(f"{self._kind.noun}_id", collective_id)

    def _find(self, unit: Reader, caller: Caller, collective_id: str) -> StoredCollective:
        found = self._store.find(unit, caller.organization_key, collective_id)
        if found is None:
            raise self._missing(collective_id)
        return found

    def _lock(self, unit: Transaction, caller: Caller, collective_id: str) -> StoredCollective:
        found = self._store.lock(unit, caller.organization_key, collective_id)
        if found is None:
            raise self._missing(collective_id)
        return found

    def _missing(self, collective_id: str) -> NotFoundError:
        return NotFoundError(f"no {self._kind.noun} has the id {collective_id}")

    def _taken(self, name: str) -> AlreadyExistsError:
        message = f"a {self._kind.noun} named {name!r} exists already; choose another name"
        return AlreadyExistsError(message)

    def _require_write(self, caller: Caller, found: StoredCollective) -> None:
        if found.created_by != caller.actor_id:
            caller.require(self._kind.all_write)


def _viewer(caller: Caller) -> Viewer:
    return Viewer(caller.actor_id, caller.person.key if caller.person else None)
