"""What can be done to the directory; the model predicts how each call ends and what it changes."""

from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.member_pb import (
    BulkInviteUsersRequest,
    DeactivateUserRequest,
    InviteUserRequest,
    ReactivateUserRequest,
    RevokeInviteRequest,
    UpdateUserProfileRequest,
    UpdateUserRoleRequest,
)
from pidgr.contract.v1.role_pb import CreateRoleRequest, DeleteRoleRequest, UpdateRoleRequest
from pidgr.contract.v1.user_pb import UserProfile, UserStatus
from pidgr.directory.role_service import slug_of
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    PidgrError,
)
from pidgr.identity import store as identity_store
from pidgr.storage.transaction import Transaction
from support.directory_model import Collective, DirectoryModel, Role
from support.organization import START

NAMES = ("Night", "night", "Day shift", "day_SHIFT", "Kitchen")
ADDRESSES = tuple(f"{name}@example.com" for name in ("eve", "Eve", "max", "zoe", "kim", "lou"))
PERMISSIONS = (Permission.ORG_READ, Permission.MEMBERS_READ, Permission.AUDIT_READ)


class DirectoryMachine(DirectoryModel):
    """The rules."""

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
        actor_id = self.pick(data, self.members)
        member_id, role_id = self.pick(data, self.members), self.pick(data, self.roles)
        has = self.roles[self.members[actor_id].role].permissions
        keeps = self.members[member_id].role == role_id
        error: type[PidgrError] | None = None
        if not self.roles[role_id].permissions <= has:
            error = PermissionDeniedError
        elif not keeps and self.last_super_admin(member_id):
            error = FailedPreconditionError
        actor = self.tenant.person(actor_id)
        assert actor.permissions == has
        request = UpdateUserRoleRequest(user_id=member_id, role_id=role_id)
        self.expect(error, lambda: self.member_calls("update_user_role", request, actor))
        if error is None:
            self.members[member_id].role = role_id

    @rule(data=st.data())
    def give_managers(self, data: st.DataObject) -> None:
        """Give several people one, as one at a time hardly ever closes a circle."""
        people = st.sampled_from(list(self.members))
        for member_id, manager_id in data.draw(st.lists(st.tuples(people, people), max_size=8)):
            circle = member_id in self.above(manager_id)
            request = UpdateUserProfileRequest(
                user_id=member_id, profile=UserProfile(manager_id=manager_id)
            )
            self.expect(
                InvalidArgumentError if circle else None,
                partial(self.member_calls, "update_user_profile", request),
            )
            if not circle:
                self.members[member_id].manager = manager_id

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
        guests = {
            member_id: one
            for member_id, one in self.members.items()
            if one.status == UserStatus.INVITED
        }
        # Not too often in vain: what a guest leaves behind is what can go wrong.
        member_id = self.pick(data, guests or self.members)
        invited = member_id in guests
        request = RevokeInviteRequest(user_id=member_id)
        self.expect(
            None if invited else FailedPreconditionError,
            lambda: self.member_calls("revoke_invite", request),
        )
        if invited:
            del self.members[member_id]
            for other in self.members.values():
                other.manager = "" if other.manager == member_id else other.manager
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

    @precondition(lambda self: len(self.collectives["team"]) > 1)
    @rule(data=st.data())
    def a_team_lists_its_members(self, data: st.DataObject) -> None:
        id_ = self.pick(data, self.collectives["team"])
        emails, _, total = self.services["team"].members(id_)
        expected = {self.members[one].address for one in self.collectives["team"][id_].members}
        assert set(emails) == expected
        assert total == len(emails)
