"""MemberService: who belongs to the organization (SEMANTICS 2.8)."""

from typing import Final

from pidgr.audit import trail
from pidgr.audit.trail import Event, Fact
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.member_pb import (
    BulkInviteResult,
    BulkInviteUsersRequest,
    BulkInviteUsersResponse,
    ConfirmPasskeyEnrollmentRequest,
    ConfirmPasskeyEnrollmentResponse,
    DeactivateUserRequest,
    DeactivateUserResponse,
    GetUserRequest,
    GetUserResponse,
    GetUserSettingsRequest,
    GetUserSettingsResponse,
    InviteUserRequest,
    InviteUserResponse,
    ListUsersRequest,
    ListUsersResponse,
    ReactivateUserRequest,
    ReactivateUserResponse,
    RevokeInviteRequest,
    RevokeInviteResponse,
    UpdateUserProfileRequest,
    UpdateUserProfileResponse,
    UpdateUserRegionRequest,
    UpdateUserRegionResponse,
    UpdateUserRoleRequest,
    UpdateUserRoleResponse,
    UpdateUserSettingsRequest,
    UpdateUserSettingsResponse,
)
from pidgr.contract.v1.user_pb import ThemePreference, UserProfile, UserSettings, UserStatus
from pidgr.directory import inviting, member_store, passkey_notices, person_store, standing
from pidgr.directory.granting import invitation_role
from pidgr.directory.invitation_mail import InvitationMail
from pidgr.directory.member_store import NewMember, existing_member
from pidgr.directory.messages import user_message
from pidgr.directory.name_order import member_after, member_position
from pidgr.directory.profile import check_profile
from pidgr.directory.profile_change import change_profile
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    Violations,
    invalid_field,
)
from pidgr.identity.caller import Caller
from pidgr.identity.passkeys import passkey_store
from pidgr.pagination import PageTokens
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError
from pidgr.validation import (
    LOCALES,
    NAME_LENGTH,
    REGIONS,
    check_choice,
    check_email,
    check_enum,
    check_text,
    require_uuid,
)

_MOST_INVITED: Final = 100
_SETTINGS: Final = ("theme_preference", "preferred_locale")


class MemberService:
    """Invites, shows and changes members."""

    def __init__(
        self, clock: Clock, page_tokens: PageTokens, invitation_mail: InvitationMail
    ) -> None:
        self._clock = clock
        self._page_tokens = page_tokens
        self._invitation_mail = invitation_mail

    def invite_user(
        self, request: InviteUserRequest, caller: Caller, unit: Transaction
    ) -> InviteUserResponse:
        """Store a member as INVITED, in the default group and the default team, and mail them.

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
        manager_id = profile.manager_id.lower()
        if manager_id and not member_store.hold_members(unit, organization_key, [manager_id]):
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
        self._invitation_mail.enqueue(unit, organization_key, [new.id])
        self._record(unit, caller, AuditEventType.USER_INVITED, new.id, role=role.slug)
        return InviteUserResponse(
            user=user_message(existing_member(unit, organization_key, new.id))
        )

    def bulk_invite_users(
        self, request: BulkInviteUsersRequest, caller: Caller, unit: Transaction
    ) -> BulkInviteUsersResponse:
        """Invite many people; what is wrong with one address does not stop the others.

        Raises:
            InvalidArgumentError: none or more than 100 addresses, or the role's id is not a UUID.
            NotFoundError: no such role.
            PermissionDeniedError: the role allows something that the caller may not do.
        """
        emails = inviting.distinct_addresses(request.emails)
        if not 0 < len(emails) <= _MOST_INVITED:
            raise invalid_field("emails", f"must be 1 to {_MOST_INVITED}, are {len(emails):,}")
        role = invitation_role(unit, caller, request.role_id)
        organization_key = caller.organization_key
        invitations = inviting.invite_many(
            unit, organization_key, emails, role.key, self._clock.now()
        )
        invited_ids = [invitation.member_id for invitation in invitations if not invitation.error]
        self._invitation_mail.enqueue(unit, organization_key, invited_ids)
        results = [
            BulkInviteResult(
                email=invitation.email,
                success=not invitation.error,
                error=invitation.error,
                user=None
                if invitation.error
                else user_message(existing_member(unit, organization_key, invitation.member_id)),
            )
            for invitation in invitations
        ]
        invited = len(invited_ids)
        events = (
            Event(AuditEventType.USER_INVITED, "user", invitation.member_id, {"role": role.slug})
            for invitation in invitations
            if not invitation.error
        )
        trail.record_many(unit, caller, events, now=self._clock.now())
        return BulkInviteUsersResponse(
            results=results, invited_count=invited, failed_count=len(results) - invited
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
        changed = standing.change_role(unit, caller, user_id, request.role_id, self._clock.now())
        return UpdateUserRoleResponse(user=user_message(changed))

    def deactivate_user(
        self, request: DeactivateUserRequest, caller: Caller, unit: Transaction
    ) -> DeactivateUserResponse:
        """Shut a member out. One who is deactivated already stays so.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: no such member.
            FailedPreconditionError: it is the caller, or the last super admin.
        """
        user_id = require_uuid("user_id", request.user_id)
        changed = standing.deactivate(unit, caller, user_id, self._clock.now())
        return DeactivateUserResponse(user=user_message(changed))

    def reactivate_user(
        self, request: ReactivateUserRequest, caller: Caller, unit: Transaction
    ) -> ReactivateUserResponse:
        """Invite a deactivated member again, by mail too.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: no such member.
            PermissionDeniedError: their role allows something that the caller may not do.
            FailedPreconditionError: the member is not deactivated.
        """
        user_id = require_uuid("user_id", request.user_id)
        changed = standing.reactivate(unit, caller, user_id, self._clock.now())
        self._invitation_mail.enqueue(unit, caller.organization_key, [changed.id])
        return ReactivateUserResponse(user=user_message(changed))

    def revoke_invite(
        self, request: RevokeInviteRequest, caller: Caller, unit: Transaction
    ) -> RevokeInviteResponse:
        """Delete a member who is invited.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: no such member.
            FailedPreconditionError: the member is not INVITED.
        """
        user_id = require_uuid("user_id", request.user_id)
        standing.revoke_invitation(unit, caller, user_id, self._clock.now())
        return RevokeInviteResponse()

    def update_user_profile(
        self, request: UpdateUserProfileRequest, caller: Caller, unit: Transaction
    ) -> UpdateUserProfileResponse:
        """Change what is known of a person: oneself freely, others with MEMBERS_MANAGE.

        Raises:
            InvalidArgumentError: no profile, a malformed one, or a manager who cannot be.
            PermissionDeniedError: somebody else without MEMBERS_MANAGE, or nobody from an API key.
            NotFoundError: no such member.
        """
        user_id = _self_or_other(caller, request.user_id, Permission.MEMBERS_MANAGE)
        if request.profile is None:
            raise invalid_field("profile", "must be given")
        changed, fields = change_profile(unit, caller.organization_key, user_id, request.profile)
        if fields:
            self._record(unit, caller, AuditEventType.PROFILE_UPDATED, user_id, fields=fields)
        return UpdateUserProfileResponse(user=user_message(changed))

    def update_user_region(
        self, request: UpdateUserRegionRequest, caller: Caller, unit: Transaction
    ) -> UpdateUserRegionResponse:
        """Set the region whose rules a member's data is under; empty means the organization's.

        Raises:
            InvalidArgumentError: an unknown region, or the id is not a UUID.
            NotFoundError: no such member.
        """
        user_id = require_uuid("user_id", request.user_id)
        region = request.data_governance_region
        violations = Violations()
        check_choice(violations, "data_governance_region", region, REGIONS)
        violations.raise_if_any()
        organization_key = caller.organization_key
        member = existing_member(unit, organization_key, user_id)
        if region != member.data_governance_region:
            person_store.set_region(unit, organization_key, member.key, region)
            fields = ["data_governance_region"]
            self._record(unit, caller, AuditEventType.PROFILE_UPDATED, user_id, fields=fields)
        changed = existing_member(unit, organization_key, user_id)
        return UpdateUserRegionResponse(user=user_message(changed))

    def get_user_settings(
        self, request: GetUserSettingsRequest, caller: Caller, unit: Reader
    ) -> GetUserSettingsResponse:
        """Return the caller's own settings."""
        del request
        return GetUserSettingsResponse(settings=_settings(unit, caller))

    def update_user_settings(
        self, request: UpdateUserSettingsRequest, caller: Caller, unit: Transaction
    ) -> UpdateUserSettingsResponse:
        """Change the caller's own settings; what is empty or UNSPECIFIED stays.

        Raises:
            InvalidArgumentError: no settings, or an unknown locale or theme.
        """
        wanted = request.settings
        if wanted is None:
            raise invalid_field("settings", "must be given")
        violations = Violations()
        check_enum(violations, "settings.theme_preference", wanted.theme_preference)
        check_choice(violations, "settings.preferred_locale", wanted.preferred_locale, LOCALES)
        violations.raise_if_any()
        person = caller.member()
        before = _settings(unit, caller)
        person_store.update_settings(
            unit,
            caller.organization_key,
            person.key,
            int(wanted.theme_preference),
            wanted.preferred_locale,
        )
        after = _settings(unit, caller)
        fields = [field for field in _SETTINGS if getattr(before, field) != getattr(after, field)]
        if fields:
            self._record(unit, caller, AuditEventType.SETTINGS_UPDATED, person.id, fields=fields)
        return UpdateUserSettingsResponse(settings=after)

    def confirm_passkey_enrollment(
        self, request: ConfirmPasskeyEnrollmentRequest, caller: Caller, unit: Transaction
    ) -> ConfirmPasskeyEnrollmentResponse:
        """Note that the caller has made a passkey, once for each.

        Raises:
            FailedPreconditionError: they have none that opens anything.
        """
        del request
        newest = passkey_store.newest(unit, caller.subject)
        if newest is None:
            raise FailedPreconditionError("you have no passkey yet; make one, then confirm it")
        member, now = caller.member(), self._clock.now()
        passkey_notices.note(unit, caller, member.id, newest, now)
        return ConfirmPasskeyEnrollmentResponse(confirmed=True)

    def get_user(self, request: GetUserRequest, caller: Caller, unit: Reader) -> GetUserResponse:
        """Return one member: oneself freely, others with MEMBERS_READ.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            PermissionDeniedError: somebody else without MEMBERS_READ, or nobody from an API key.
            NotFoundError: no such member.
        """
        user_id = _self_or_other(caller, request.user_id, Permission.MEMBERS_READ)
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

    def _record(
        self,
        unit: Transaction,
        caller: Caller,
        event_type: AuditEventType,
        member_id: str,
        **facts: Fact,
    ) -> None:
        event = Event(event_type, "user", member_id, facts)
        trail.record_event(unit, caller, event, now=self._clock.now())


def _self_or_other(caller: Caller, user_id: str, permission: Permission) -> str:
    """Return whom a request is about, having demanded the permission unless it is the caller."""
    user_id = require_uuid("user_id", user_id or caller.member().id)
    if caller.person is None or user_id != caller.person.id:
        caller.require(permission)
    return user_id


def _settings(reader: Reader, caller: Caller) -> UserSettings:
    stored = person_store.settings(reader, caller.organization_key, caller.member().key)
    return UserSettings(
        theme_preference=ThemePreference(stored.theme_preference or ThemePreference.SYSTEM),
        preferred_locale=stored.preferred_locale,
    )
