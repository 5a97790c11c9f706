"""What the directory ought to be: sets and dictionaries, held against the services' answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from pidgr.contract.v1.common_pb import Pagination, Permission
from pidgr.contract.v1.group_pb import GetUserGroupMembershipsRequest
from pidgr.contract.v1.member_pb import ListUsersRequest
from pidgr.contract.v1.role_pb import ListRolesRequest
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory.group_service import GroupService
from pidgr.directory.role_service import RoleService
from pidgr.errors import PidgrError
from pidgr.storage.sql import Statement
from support.calls import Calls
from support.collectives import Collectives
from support.organization import Installation, Tenant

_RECOUNTS = [
    Statement(f"""
        select c.id, c.member_count,
               (select count(*) from {table}_member cm where cm.{table}_key = c.key)
        from {table} c where c.organization_key = :organization_key
    """)
    for table in ("recipient_group", "team")
]


@dataclass
class Member:
    address: str
    status: UserStatus
    role: str
    manager: str = ""


@dataclass
class Role:
    slug: str
    permissions: frozenset[Permission]
    fixed: bool


@dataclass
class Collective:
    name: str
    members: set[str] = field(default_factory=set)
    default: bool = False


class DirectoryModel(RuleBasedStateMachine):
    """An organization and what is known of it; after each rule both are compared."""

    installation: ClassVar[Installation]
    founded: ClassVar[int] = 0

    @initialize()
    def found(self) -> None:
        type(self).founded += 1
        self.tenant: Tenant = self.installation.found(
            f"Organization {type(self).founded}", "ada@example.com"
        )
        clock, tokens = self.installation.clock, self.installation.page_tokens
        self.member_calls = Calls(self.tenant, self.installation.member_service)
        self.role_calls = Calls(self.tenant, RoleService(clock))
        self.memberships = Calls(self.tenant, GroupService(clock, tokens))
        self.services = {noun: Collectives(self.tenant, noun) for noun in ("group", "team")}
        admin = self.tenant.admin.member()
        roles = self.role_calls("list_roles", ListRolesRequest()).roles
        self.roles = {
            role.id: Role(
                role.slug,
                frozenset(role.permissions),
                fixed=role.slug in {"super_admin", "employee"},
            )
            for role in roles
        }
        self.role_ids = {role.slug: role.id for role in roles}
        self.members = {
            admin.id: Member(admin.email, UserStatus.ACTIVE, self.role_ids["super_admin"])
        }
        self.collectives: dict[str, dict[str, Collective]] = {}
        for noun, service in self.services.items():
            default = service.default()
            self.collectives[noun] = {
                default.id: Collective(default.name, {admin.id}, default=True)
            }

    def expect(self, error: type[PidgrError] | None, call: Callable[[], Any]) -> Any:
        """Make a call that the model says succeeds (None) or fails so; return its answer."""
        if error is None:
            return call()
        with pytest.raises(error):
            call()
        return None

    def joined(self, member_id: str, address: str, role_id: str) -> None:
        self.members[member_id] = Member(address, UserStatus.INVITED, role_id)
        for found in self.collectives.values():
            next(one for one in found.values() if one.default).members.add(member_id)

    def known(self, address: str) -> bool:
        return address.casefold() in {one.address.casefold() for one in self.members.values()}

    def pick(self, data: st.DataObject, ids: dict[str, Any]) -> str:
        return data.draw(st.sampled_from(list(ids)))

    @invariant()
    def members_are_as_the_model_says(self) -> None:
        pagination = Pagination(page_size=100)
        answer = self.member_calls("list_users", ListUsersRequest(pagination=pagination))
        assert {
            user.id: Member(user.email, user.status, user.role_id, user.profile.manager_id)
            for user in answer.users
        } == self.members
        assert answer.pagination_meta.total_count == len(self.members)

    @invariant()
    def roles_are_as_the_model_says(self) -> None:
        roles = self.role_calls("list_roles", ListRolesRequest()).roles
        assert {role.id: (role.slug, frozenset(role.permissions)) for role in roles} == {
            id_: (role.slug, role.permissions) for id_, role in self.roles.items()
        }

    @invariant()
    def collectives_are_as_the_model_says(self) -> None:
        for noun, service in self.services.items():
            found = self.collectives[noun]
            answer = service.call("list_{}s", pagination=Pagination(page_size=100))
            assert {
                one.id: (one.name, one.member_count) for one in getattr(answer, f"{noun}s")
            } == {id_: (one.name, len(one.members)) for id_, one in found.items()}

    @invariant()
    def memberships_are_as_the_model_says(self) -> None:
        groups = self.collectives["group"]
        request = GetUserGroupMembershipsRequest(user_ids=list(self.members))
        answer = self.memberships("get_user_group_memberships", request)
        expected = {
            member_id: {id_ for id_, one in groups.items() if member_id in one.members}
            for member_id in self.members
        }
        assert {one.user_id: {group.id for group in one.groups} for one in answer.memberships} == {
            member_id: theirs for member_id, theirs in expected.items() if theirs
        }

    @invariant()
    def counts_are_what_a_recount_finds(self) -> None:
        parameters = {"organization_key": self.tenant.key}
        rows = self.installation.read(
            lambda unit: [row for recount in _RECOUNTS for row in unit.rows(recount, parameters)]
        )
        assert len(rows) == sum(map(len, self.collectives.values()))
        assert [row for row in rows if row[1] != row[2]] == []

    @invariant()
    def somebody_who_can_sign_in_is_super_admin(self) -> None:
        assert any(
            one.role == self.role_ids["super_admin"] and one.status == UserStatus.ACTIVE
            for one in self.members.values()
        )

    @invariant()
    def nobody_reports_to_themself(self) -> None:
        for member_id in self.members:
            assert member_id not in self.above(self.members[member_id].manager)

    def above(self, member_id: str) -> list[str]:
        """Return a member and everyone they report to, over whatever levels."""
        found: list[str] = []
        while member_id and member_id not in found:
            found.append(member_id)
            member_id = self.members[member_id].manager
        return found
