"""MemberService: who belongs to the organization (SEMANTICS 2.8)."""

from pidgr.clock import Clock
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.member_pb import (
    GetUserRequest,
    GetUserResponse,
    InviteUserRequest,
    InviteUserResponse,
    ListUsersRequest,
    ListUsersResponse,
    UpdateUserRoleRequest,
    UpdateUserRoleResponse,
)
from pidgr.contract.v1.user_pb import UserProfile, UserStatus
from pidgr.directory import member_store, standing
from pidgr.directory.granting import invitation_role
from pidgr.directory.member_store import NewMember, existing_member
from pidgr.directory.messages import user_message
from pidgr.directory.name_order import member_after, member_position
from pidgr.directory.profile import check_profile
from pidgr.errors import (
    AlreadyExistsError,
    Violations,
    invalid_field,
)
from pidgr.identity.caller import Caller
from pidgr.pagination import PageTokens
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import (
    NAME_LENGTH,
    REGIONS,
    check_choice,
    check_email,
    check_text,
    require_uuid,
)


class MemberService:
    """Invites and shows members."""

    def __init__(self, clock: Clock, page_tokens: PageTokens) -> None:
        self._clock = clock
        self._page_tokens = page_tokens

    def invite_user(
        self, request: InviteUserRequest, caller: Caller, unit: Transaction
    ) -> InviteUserResponse:
        """Store a member as INVITED, in the default group and the default team.

        This server sends no mail yet: whoever invites tells the person where to sign in.

        Raises:
            InvalidArgumentError: a malformed field, or a manager_id that is not a member.
            NotFoundError: no such role.
            PermissionDeniedError: the role allows something that the caller may not do.
            AlreadyExistsError: the address is a member, in whatever status.
        """
        profile = request.profile or UserProfile()
        violations = Violations()
        check_email(violations, "email", request.email)
        check_text(violations, "name", request.name, NAME_LENGTH)
        check_choice(violations, "data_governance_region", request.data_governance_region, REGIONS)
        check_profile(violations, "profile", profile)
        violations.raise_if_any()
        organization_key = caller.organization_key
        role = invitation_role(unit, caller, request.role_id)
        if profile.manager_id and not member_store.member_key(
            unit, organization_key, profile.manager_id.lower()
        ):
            raise invalid_field("profile.manager_id", "is not a member of this organization")
        new = NewMember(
            email=request.email,
            name=request.name,
            status=UserStatus.INVITED,
            role_key=role.key,
            profile=profile,
            data_governance_region=request.data_governance_region,
        )
        try:
            member_store.insert_members(unit, organization_key, [new], self._clock.now())
        except UniqueViolationError as error:
            message = f"{request.email} is a member of this organization already"
            raise AlreadyExistsError(message) from error
        return InviteUserResponse(
            user=user_message(existing_member(unit, organization_key, new.id))
        )

    def update_user_role(
        self, request: UpdateUserRoleRequest, caller: Caller, unit: Transaction
    ) -> UpdateUserRoleResponse:
        """Give a member another role.

        Raises:
            InvalidArgumentError: an id is not a UUID.
            NotFoundError: no such member or role.
            PermissionDeniedError: the role allows something that the caller may not do.
            FailedPreconditionError: nobody who can sign in would be super admin any more.
        """
        user_id = require_uuid("user_id", request.user_id)
        return UpdateUserRoleResponse(
            user=user_message(standing.change_role(unit, caller, user_id, request.role_id))
        )

    def get_user(self, request: GetUserRequest, caller: Caller, unit: Reader) -> GetUserResponse:
        """Return one member: oneself freely, others with MEMBERS_READ.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            PermissionDeniedError: somebody else without MEMBERS_READ, or nobody from an API key.
            NotFoundError: no such member.
        """
        user_id = require_uuid("user_id", request.user_id or caller.member().id)
        if caller.person is None or user_id != caller.person.id:
            caller.require(Permission.MEMBERS_READ)
        return GetUserResponse(
            user=user_message(existing_member(unit, caller.organization_key, user_id))
        )

    def list_users(
        self, request: ListUsersRequest, caller: Caller, unit: Reader
    ) -> ListUsersResponse:
        """Return a page of members by name; those without one stand at their address.

        Raises:
            InvalidArgumentError: a bad page size or token.
        """
        organization_key = caller.organization_key
        scope = f"users/{organization_key}"
        page = self._page_tokens.read(request.pagination, scope)
        after = member_after(page.position)
        found = member_store.members_page(unit, organization_key, after, page.size + 1)
        total = member_store.count_members(unit, organization_key)
        positions = [member_position(stored.sort_name, stored.key) for stored in found]
        return ListUsersResponse(
            users=[user_message(stored) for stored in found[: page.size]],
            pagination_meta=self._page_tokens.meta(scope, page, positions, total),
        )
