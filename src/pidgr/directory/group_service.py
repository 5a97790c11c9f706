"""GroupService: collections of members that campaigns aim at (SEMANTICS 2.5).

The rules are in ``pidgr.directory.collectives``, and so is what each RPC raises.
"""

from typing import Final

from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.group_pb import (
    AddGroupMembersRequest,
    AddGroupMembersResponse,
    CreateGroupRequest,
    CreateGroupResponse,
    DeleteGroupRequest,
    DeleteGroupResponse,
    GetGroupRequest,
    GetGroupResponse,
    GetUserGroupMembershipsRequest,
    GetUserGroupMembershipsResponse,
    Group,
    ListGroupMembersRequest,
    ListGroupMembersResponse,
    ListGroupsRequest,
    ListGroupsResponse,
    RemoveGroupMembersRequest,
    RemoveGroupMembersResponse,
    UpdateGroupRequest,
    UpdateGroupResponse,
    UserGroupMembership,
)
from pidgr.directory.collective_store import GROUPS
from pidgr.directory.collectives import Collectives, Events, Kind
from pidgr.directory.messages import group_message, user_message
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import require_uuids

_LOOKED_UP: Final = 200
_EVENTS: Final = Events(
    created=AuditEventType.GROUP_CREATED,
    updated=AuditEventType.GROUP_UPDATED,
    deleted=AuditEventType.GROUP_DELETED,
    members_added=AuditEventType.GROUP_MEMBERS_ADDED,
    members_removed=AuditEventType.GROUP_MEMBERS_REMOVED,
)
GROUP: Final = Kind(
    "group", GROUPS, Permission.GROUPS_ALL_READ, Permission.GROUPS_ALL_WRITE, _EVENTS
)


class GroupService:
    """Keeps groups and their members."""

    def __init__(self, clock: Clock, page_tokens: PageTokens) -> None:
        self._groups = Collectives(GROUP, clock, page_tokens)

    def create_group(
        self, request: CreateGroupRequest, caller: Caller, unit: Transaction
    ) -> CreateGroupResponse:
        """Make an empty group."""
        made = self._groups.create(unit, caller, request.name, request.description)
        return CreateGroupResponse(group=group_message(made))

    def get_group(self, request: GetGroupRequest, caller: Caller, unit: Reader) -> GetGroupResponse:
        """Return one group."""
        found = self._groups.get(unit, caller, request.group_id)
        return GetGroupResponse(group=group_message(found))

    def list_groups(
        self, request: ListGroupsRequest, caller: Caller, unit: Reader
    ) -> ListGroupsResponse:
        """Return a page of groups by name."""
        found, meta = self._groups.page(unit, caller, request.pagination)
        return ListGroupsResponse(
            groups=[group_message(stored) for stored in found], pagination_meta=meta
        )

    def update_group(
        self, request: UpdateGroupRequest, caller: Caller, unit: Transaction
    ) -> UpdateGroupResponse:
        """Rename or describe a group."""
        changed = self._groups.update(
            unit, caller, request.group_id, request.name, request.description
        )
        return UpdateGroupResponse(group=group_message(changed))

    def delete_group(
        self, request: DeleteGroupRequest, caller: Caller, unit: Transaction
    ) -> DeleteGroupResponse:
        """Delete a group and its memberships."""
        self._groups.delete(unit, caller, request.group_id)
        return DeleteGroupResponse()

    def add_group_members(
        self, request: AddGroupMembersRequest, caller: Caller, unit: Transaction
    ) -> AddGroupMembersResponse:
        """Add members to a group."""
        changed = self._groups.add_members(unit, caller, request.group_id, request.user_ids)
        return AddGroupMembersResponse(group=group_message(changed))

    def remove_group_members(
        self, request: RemoveGroupMembersRequest, caller: Caller, unit: Transaction
    ) -> RemoveGroupMembersResponse:
        """Take members out of a group."""
        changed = self._groups.remove_members(unit, caller, request.group_id, request.user_ids)
        return RemoveGroupMembersResponse(group=group_message(changed))

    def list_group_members(
        self, request: ListGroupMembersRequest, caller: Caller, unit: Reader
    ) -> ListGroupMembersResponse:
        """Return a page of a group's members by name."""
        members, meta = self._groups.members_page(
            unit, caller, request.group_id, request.pagination
        )
        return ListGroupMembersResponse(
            users=[user_message(member) for member in members], pagination_meta=meta
        )

    def get_user_group_memberships(
        self, request: GetUserGroupMembershipsRequest, caller: Caller, unit: Reader
    ) -> GetUserGroupMembershipsResponse:
        """Return the groups of many members; whoever is in none, or no member, is left out.

        Raises:
            InvalidArgumentError: no id, more than 200, or one that is not a UUID.
        """
        require_uuids("user_ids", request.user_ids, _LOOKED_UP)
        member_ids = dict.fromkeys(member_id.lower() for member_id in request.user_ids)
        groups: dict[str, list[Group]] = {member_id: [] for member_id in member_ids}
        found = GROUPS.memberships(unit, caller.organization_key, list(member_ids))
        for member_id, stored in found:
            groups[member_id].append(group_message(stored))
        return GetUserGroupMembershipsResponse(
            memberships=[
                UserGroupMembership(user_id=member_id, groups=theirs)
                for member_id, theirs in groups.items()
                if theirs
            ]
        )
