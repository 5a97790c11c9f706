"""Members, roles, groups and teams against a model of sets and dictionaries."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.calls import Calls
from support.collectives import Collectives
from support.organization import START, Installation, Tenant

from pidgr.contract.v1.common_pb import Pagination, Permission
from pidgr.contract.v1.group_pb import GetUserGroupMembershipsRequest
from pidgr.contract.v1.member_pb import (
    BulkInviteUsersRequest,
    DeactivateUserRequest,
    InviteUserRequest,
    ListUsersRequest,
    ReactivateUserRequest,
    RevokeInviteRequest,
    UpdateUserRoleRequest,
)
from pidgr.contract.v1.role_pb import (
    CreateRoleRequest,
    DeleteRoleRequest,
    ListRolesRequest,
    UpdateRoleRequest,
)
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.directory.group_service import GroupService
from pidgr.directory.role_service import RoleService, slug_of
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    NotFoundError,
    PidgrError,
)
from pidgr.identity import store as identity_store
from pidgr.storage.transaction import Transaction

NAMES = ("Night", "night", "Day shift", "day_SHIFT", "Kitchen")
ADDRESSES = tuple(f"{name}@example.com" for name in ("eve", "Eve", "max", "zoe", "kim", "lou"))
PERMISSIONS = (Permission.ORG_READ, Permission.MEMBERS_READ, Permission.AUDIT_READ)


@dataclass
class Member:
    address: str
    status: UserStatus
    role: str


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


class Directory(RuleBasedStateMachine):
    """Each call is predicted by the model: its outcome, and what everything looks like after."""

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

    # --- members

    @rule(address=st.sampled_from(ADDRESSES), data=st.data())
    def invite(self, address: str, data: st.DataObject) -> None:
        role_id = self.pick(data, self.roles)
        error = AlreadyExistsError if self.known(address) else None
        request = InviteUserRequest(email=address, role_id=role_id)
        answer = self.expect(error, lambda: self.member_calls("invite_user", request))
        if answer is not None:
            self.joined(answer.user.id, address, role_id)

    @rule(addresses=st.lists(st.sampled_from((*ADDRESSES, "nobody")), min_size=1, max_size=6))
    def invite_many(self, addresses: list[str]) -> None:
        wanted = {address.casefold() for address in addresses}
        fresh = {one for one in wanted if "@" in one and not self.known(one)}
        answer = self.member_calls("bulk_invite_users", BulkInviteUsersRequest(emails=addresses))
        assert {one.email.casefold() for one in answer.results if one.success} == fresh
        assert (answer.invited_count, answer.failed_count) == (
            len(fresh),
            len(wanted) - len(fresh),
        )
        for one in answer.results:
            if one.success:
                self.joined(one.user.id, one.email, self.role_ids["employee"])

    def last_super_admin(self, member_id: str) -> bool:
        """Tell whether the organization would be without a super admin who can sign in."""
        one = self.members[member_id]
        return one.role == self.role_ids["super_admin"] and not any(
            other.role == one.role and other.status == UserStatus.ACTIVE and other_id != member_id
            for other_id, other in self.members.items()
        )

    @rule(data=st.data())
    def give_role(self, data: st.DataObject) -> None:
        member_id, role_id = self.pick(data, self.members), self.pick(data, self.roles)
        keeps = self.members[member_id].role == role_id
        last = not keeps and self.last_super_admin(member_id)
        request = UpdateUserRoleRequest(user_id=member_id, role_id=role_id)
        self.expect(
            FailedPreconditionError if last else None,
            lambda: self.member_calls("update_user_role", request),
        )
        if not last:
            self.members[member_id].role = role_id

    @rule(data=st.data())
    def deactivate(self, data: st.DataObject) -> None:
        member_id = self.pick(data, self.members)
        one = self.members[member_id]
        gone = one.status == UserStatus.DEACTIVATED
        myself = member_id == self.tenant.admin.member().id
        refused = not gone and (myself or self.last_super_admin(member_id))
        request = DeactivateUserRequest(user_id=member_id)
        self.expect(
            FailedPreconditionError if refused else None,
            lambda: self.member_calls("deactivate_user", request),
        )
        if not refused:
            one.status = UserStatus.DEACTIVATED

    @rule(data=st.data())
    def reactivate(self, data: st.DataObject) -> None:
        member_id = self.pick(data, self.members)
        gone = self.members[member_id].status == UserStatus.DEACTIVATED
        request = ReactivateUserRequest(user_id=member_id)
        self.expect(
            None if gone else FailedPreconditionError,
            lambda: self.member_calls("reactivate_user", request),
        )
        if gone:
            self.members[member_id].status = UserStatus.INVITED

    @rule(data=st.data())
    def sign_in(self, data: st.DataObject) -> None:
        member_id = self.pick(data, self.members)
        one = self.members[member_id]
        subject = f"{self.tenant.id}/{one.address.casefold()}"

        def work(unit: Transaction) -> bool:
            identity_store.ensure_identity(unit, subject, subject, START)
            return identity_store.activate_member(
                unit,
                member_id,
                subject,
                active=UserStatus.ACTIVE,
                deactivated=UserStatus.DEACTIVATED,
            )

        assert self.installation.write(work) == (one.status != UserStatus.DEACTIVATED)
        if one.status == UserStatus.INVITED:
            one.status = UserStatus.ACTIVE

    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        member_id = self.pick(data, self.members)
        invited = self.members[member_id].status == UserStatus.INVITED
        request = RevokeInviteRequest(user_id=member_id)
        self.expect(
            None if invited else FailedPreconditionError,
            lambda: self.member_calls("revoke_invite", request),
        )
        if invited:
            del self.members[member_id]
            for found in self.collectives.values():
                for one in found.values():
                    one.members.discard(member_id)
            self.expect(NotFoundError, lambda: self.member_calls("revoke_invite", request))

    # --- roles

    @rule(name=st.sampled_from(NAMES), permissions=st.sets(st.sampled_from(PERMISSIONS)))
    def create_role(self, name: str, permissions: set[Permission]) -> None:
        taken = slug_of(name) in {role.slug for role in self.roles.values()}
        request = CreateRoleRequest(name=name, permissions=list(permissions))
        answer = self.expect(
            AlreadyExistsError if taken else None, lambda: self.role_calls("create_role", request)
        )
        if answer is not None:
            self.roles[answer.role.id] = Role(slug_of(name), frozenset(permissions), fixed=False)

    @rule(data=st.data(), permissions=st.sets(st.sampled_from(PERMISSIONS)))
    def change_role(self, data: st.DataObject, permissions: set[Permission]) -> None:
        role_id = self.pick(data, self.roles)
        system = role_id == self.role_ids["super_admin"]
        request = UpdateRoleRequest(role_id=role_id, permissions=list(permissions))
        self.expect(
            FailedPreconditionError if system else None,
            lambda: self.role_calls("update_role", request),
        )
        if not system and permissions:
            self.roles[role_id].permissions = frozenset(permissions)

    @rule(data=st.data())
    def delete_role(self, data: st.DataObject) -> None:
        role_id = self.pick(data, self.roles)
        held = any(one.role == role_id for one in self.members.values())
        refused = held or self.roles[role_id].fixed
        request = DeleteRoleRequest(role_id=role_id)
        self.expect(
            FailedPreconditionError if refused else None,
            lambda: self.role_calls("delete_role", request),
        )
        if not refused:
            del self.roles[role_id]

    # --- groups and teams

    @rule(noun=st.sampled_from(("group", "team")), name=st.sampled_from(NAMES))
    def create(self, noun: str, name: str) -> None:
        found = self.collectives[noun]
        taken = name.casefold() in {one.name.casefold() for one in found.values()}
        answer = self.expect(
            AlreadyExistsError if taken else None, lambda: self.services[noun].create(name)
        )
        if answer is not None:
            found[answer.id] = Collective(name)

    @rule(noun=st.sampled_from(("group", "team")), name=st.sampled_from(NAMES), data=st.data())
    def rename(self, noun: str, name: str, data: st.DataObject) -> None:
        found = self.collectives[noun]
        id_ = self.pick(data, found)
        others = {one.name.casefold() for key, one in found.items() if key != id_}
        error: type[PidgrError] | None = None
        if found[id_].default:
            error = FailedPreconditionError
        elif name.casefold() in others:
            error = AlreadyExistsError
        self.expect(error, lambda: self.services[noun].update(id_, name=name))
        if error is None:
            found[id_].name = name

    @rule(noun=st.sampled_from(("group", "team")), data=st.data())
    def delete(self, noun: str, data: st.DataObject) -> None:
        found = self.collectives[noun]
        id_ = self.pick(data, found)
        default = found[id_].default
        self.expect(
            FailedPreconditionError if default else None,
            lambda: self.services[noun].delete(id_),
        )
        if not default:
            del found[id_]

    @rule(noun=st.sampled_from(("group", "team")), joining=st.booleans(), data=st.data())
    def move(self, noun: str, joining: bool, data: st.DataObject) -> None:
        id_ = self.pick(data, self.collectives[noun])
        one = self.collectives[noun][id_]
        people = data.draw(st.lists(st.sampled_from(list(self.members)), min_size=1, max_size=5))
        service = self.services[noun]
        changed = (service.add if joining else service.remove)(id_, people)
        one.members = one.members | set(people) if joining else one.members - set(people)
        assert changed.member_count == len(one.members)

    # --- what everything looks like

    @invariant()
    def members_are_as_the_model_says(self) -> None:
        pagination = Pagination(page_size=100)
        answer = self.member_calls("list_users", ListUsersRequest(pagination=pagination))
        assert {
            user.id: Member(user.email, user.status, user.role_id) for user in answer.users
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

    @precondition(lambda self: len(self.collectives["team"]) > 1)
    @rule(data=st.data())
    def a_team_lists_its_members(self, data: st.DataObject) -> None:
        id_ = self.pick(data, self.collectives["team"])
        emails, _, total = self.services["team"].members(id_)
        expected = {self.members[one].address for one in self.collectives["team"][id_].members}
        assert set(emails) == expected
        assert total == len(emails)


def test_the_directory_behaves_like_its_model(installation: Installation) -> None:
    machine = type("Machine", (Directory,), {"installation": installation, "founded": 0})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
