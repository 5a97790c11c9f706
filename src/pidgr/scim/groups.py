"""What a directory does with groups: makes, finds, changes and deletes them."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Final

from scim2_models import Context, Meta, ResponseParameters, ScimFilter

from pidgr.audit import trail
from pidgr.clock import Clock, to_datetime
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.directory.collective_store import GROUPS
from pidgr.directory.collectives import Collectives
from pidgr.errors import NotFoundError, Violations
from pidgr.identity.caller import Caller
from pidgr.scim import group_store, payloads
from pidgr.scim.group_patch import ChangeMembers, Membership, Step, member_ids, steps
from pidgr.scim.group_store import StoredGroup
from pidgr.scim.lookups import Lookup
from pidgr.scim.paging import PageEnds, Window
from pidgr.scim.payloads import Payload
from pidgr.scim.person import LONGEST_EXTERNAL_ID
from pidgr.scim.resources import Group, GroupMember
from pidgr.scim.versions import Match
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import check_text, fold, is_uuid

READS: Final = (Permission.GROUPS_ALL_READ, Permission.GROUPS_ALL_WRITE)
WRITES: Final = (Permission.GROUPS_ALL_WRITE,)

MOST_MEMBERS_LISTED: Final = 100_000
"""How many members the groups of one page have together, unless it is one group."""
_KIND: Final = "groups"
_MOST_ALIKE: Final = 20
# What Collectives changes at once, and names in one event.
_BATCH: Final = 100

Shown = ResponseParameters[Group]


class Groups:
    """The groups of organizations as directories see them.

    Args:
        collectives: the rules of groups.
        clock: tells when something happens.
        base: URL of the SCIM service, without a slash at its end.
    """

    def __init__(self, collectives: Collectives, clock: Clock, base: str) -> None:
        self._collectives = collectives
        self._clock = clock
        self._base = base
        self._ends = PageEnds()

    def get(self, unit: Reader, caller: Caller, group_id: str, shown: Shown) -> Payload:
        """Return one.

        Raises:
            NotFoundError: there is none.
        """
        return self._shown(unit, caller, [self._find(unit, caller, group_id)], shown)[0]

    def find(
        self,
        unit: Reader,
        caller: Caller,
        lookup: Lookup,
        sieve: ScimFilter[Group],
        shown: Shown,
    ) -> list[Payload]:
        """Return those of which an attribute has a value and that pass a filter."""
        value = fold(lookup.value) if lookup.attribute == "displayName" else lookup.value
        found = group_store.groups(
            unit, caller.organization_key, lookup.attribute, value, _MOST_ALIKE
        )
        ids: dict[int, list[str]] = {}
        if _MEMBERS in str(sieve).lower():
            keys = [group.key for group in found]
            ids = group_store.members(unit, caller.organization_key, keys)
        passed = [
            group for group in found if sieve.match(self._group(group, ids.get(group.key, ())))
        ]
        return self._shown(unit, caller, passed, shown)

    def page(
        self, unit: Reader, caller: Caller, window: Window, shown: Shown
    ) -> tuple[list[Payload], int]:
        """Return some in the order of their names, and how many there are in all."""
        key = caller.organization_key
        total = GROUPS.count(unit, key, None)
        if not window.count or window.start > total:
            return [], total
        after: str | None = ""
        if window.start > 1:
            known = self._ends.find(_KIND, key, window.start)
            after = known[0] if known else group_store.position(unit, key, window.start - 2)
        found = [] if after is None else group_store.page(unit, key, after, window.count)
        if _with_members(shown):
            found = _few_enough(found)
        if found:
            end = (found[-1].name_folded, 0)
            self._ends.note(_KIND, key, window.start + len(found), end)
        return self._shown(unit, caller, found, shown), total

    def create(self, unit: Transaction, caller: Caller, group: Group, shown: Shown) -> Payload:
        """Make a group.

        Raises:
            InvalidArgumentError: something malformed, or somebody who is not a member.
            AlreadyExistsError: the name is taken.
        """
        ids = member_ids(group.members or [])
        _check_external_id(group.external_id or "")
        made = self._collectives.create(unit, caller, group.display_name or "", "")
        if group.external_id:
            key = caller.organization_key
            group_store.set_external_id(unit, key, made.key, group.external_id)
        self._add(unit, caller, made.id, ids)
        return self.get(unit, caller, made.id, shown)

    def replace(
        self,
        unit: Transaction,
        caller: Caller,
        group_id: str,
        payload: Payload,
        match: Match,
        shown: Shown,
    ) -> Payload:
        """Make a group what a directory sends whole.

        Raises:
            SCIMException: it is no Group, or not the version that the directory knows.
            InvalidArgumentError, AlreadyExistsError: as above.
            NotFoundError: there is no such group.
            FailedPreconditionError: the default group would get another name.
        """
        stored = self._to_change(unit, caller, group_id, match)
        group = payloads.group(payload, replaces=True)
        ids = member_ids(group.members or [])
        self._rename(unit, caller, stored, group.display_name or "")
        self._call(unit, caller, stored, group.external_id or "")
        self._set(unit, caller, stored, ids)
        return self.get(unit, caller, stored.id, shown)

    def patch(
        self, unit: Transaction, caller: Caller, group_id: str, payload: Payload, match: Match
    ) -> None:
        """Change what a directory wants changed of a group.

        Raises: as ``replace``.
        """
        stored = self._to_change(unit, caller, group_id, match)
        for step in steps(payloads.patch(Group, payload)):
            self._take(unit, caller, stored, step)

    def delete(self, unit: Transaction, caller: Caller, group_id: str, match: Match) -> None:
        """Delete a group.

        Raises:
            NotFoundError: there is no such group.
            FailedPreconditionError: it is the default one.
        """
        stored = self._to_change(unit, caller, group_id, match)
        self._collectives.delete(unit, caller, stored.id)

    def _take(self, unit: Transaction, caller: Caller, stored: StoredGroup, step: Step) -> None:
        if isinstance(step, ChangeMembers):
            match step.membership:
                case Membership.ADD:
                    self._add(unit, caller, stored.id, step.ids)
                case Membership.REMOVE:
                    self._remove(unit, caller, stored.id, step.ids)
                case Membership.SET:
                    self._set(unit, caller, stored, step.ids)
        elif step.attribute == "displayName":
            self._rename(unit, caller, stored, step.value)
        else:
            self._call(unit, caller, stored, step.value)

    def _rename(self, unit: Transaction, caller: Caller, stored: StoredGroup, name: str) -> None:
        violations = Violations()
        if not name.strip():
            violations.add("displayName", "must not be empty")
        violations.raise_if_any()
        self._collectives.update(unit, caller, stored.id, name, "")

    def _call(self, unit: Transaction, caller: Caller, stored: StoredGroup, name: str) -> None:
        _check_external_id(name)
        if name == stored.external_id:
            return
        group_store.set_external_id(unit, caller.organization_key, stored.key, name)
        trail.record(
            unit,
            caller,
            AuditEventType.GROUP_UPDATED,
            "group",
            stored.id,
            now=self._clock.now(),
            name=stored.name,
            fields=["external_id"],
        )

    def _set(
        self, unit: Transaction, caller: Caller, stored: StoredGroup, ids: Sequence[str]
    ) -> None:
        present = group_store.members(unit, caller.organization_key, [stored.key])[stored.key]
        self._remove(unit, caller, stored.id, sorted(set(present) - set(ids)))
        self._add(unit, caller, stored.id, sorted(set(ids) - set(present)))

    def _add(self, unit: Transaction, caller: Caller, group_id: str, ids: Sequence[str]) -> None:
        _in_batches(ids, lambda some: self._collectives.add_members(unit, caller, group_id, some))

    def _remove(self, unit: Transaction, caller: Caller, group_id: str, ids: Sequence[str]) -> None:
        _in_batches(
            ids, lambda some: self._collectives.remove_members(unit, caller, group_id, some)
        )

    def _to_change(
        self, unit: Transaction, caller: Caller, group_id: str, match: Match
    ) -> StoredGroup:
        GROUPS.lock(unit, caller.organization_key, group_id.lower())
        stored = self._find(unit, caller, group_id)
        match.require(_version(stored))
        return stored

    def _find(self, unit: Reader, caller: Caller, group_id: str) -> StoredGroup:
        group_id = group_id.lower()
        found = (
            group_store.groups(unit, caller.organization_key, "id", group_id, 1)
            if is_uuid(group_id)
            else []
        )
        if not found:
            raise NotFoundError("no Group has this id")
        return found[0]

    def _shown(
        self, unit: Reader, caller: Caller, groups: Sequence[StoredGroup], shown: Shown
    ) -> list[Payload]:
        ids: dict[int, list[str]] = {}
        if _with_members(shown):
            keys = [group.key for group in groups]
            ids = group_store.members(unit, caller.organization_key, keys)
        answers = []
        for group in groups:
            answer = self._group(group).model_dump(
                scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=shown
            )
            # By hand: the library takes seconds for the members of a large group.
            if members := ids.get(group.key):
                answer["members"] = [self._member(id_) for id_ in members]
            answers.append(answer)
        return answers

    def _group(self, stored: StoredGroup, ids: Sequence[str] = ()) -> Group:
        return Group(
            id=stored.id,
            external_id=stored.external_id or None,
            display_name=stored.name,
            members=[GroupMember(value=id_) for id_ in ids] or None,
            meta=Meta(
                resource_type="Group",
                created=to_datetime(stored.created_at),
                location=f"{self._base}/Groups/{stored.id}",
                version=_version(stored),
            ),
        )

    def _member(self, member_id: str) -> dict[str, str]:
        return {"value": member_id, "$ref": f"{self._base}/Users/{member_id}", "type": "User"}


_MEMBERS: Final = "members"


def _version(stored: StoredGroup) -> str:
    return f'W/"{stored.version}"'


def _with_members(shown: Shown) -> bool:
    """Tell whether a caller wants to see who is in a group; to most the names will do."""
    wanted = [str(path).rpartition(":")[2].lower() for path in shown.attributes or []]
    unwanted = [str(path).rpartition(":")[2].lower() for path in shown.excluded_attributes or []]
    if wanted:
        return any(path.partition(".")[0] == _MEMBERS for path in wanted)
    return _MEMBERS not in unwanted


def _few_enough(groups: Sequence[StoredGroup]) -> list[StoredGroup]:
    """Return the first groups that together are not too large, and one at least."""
    members, few = 0, list(groups[:1])
    for before, group in zip(groups, islice(groups, 1, None), strict=False):
        members += before.member_count
        if members + group.member_count > MOST_MEMBERS_LISTED:
            break
        few.append(group)
    return few


def _in_batches(ids: Sequence[str], change: Callable[[Sequence[str]], Any]) -> None:
    for start in range(0, len(ids), _BATCH):
        change(ids[start : start + _BATCH])


def _check_external_id(external_id: str) -> None:
    violations = Violations()
    check_text(violations, "externalId", external_id, LONGEST_EXTERNAL_ID)
    violations.raise_if_any()
