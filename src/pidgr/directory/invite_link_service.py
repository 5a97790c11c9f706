"""InviteLinkService: links by which people join an organization themselves (SEMANTICS 10)."""

import uuid
from typing import Final

from pidgr.audit import trail
from pidgr.clock import HOUR, Clock, to_datetime, to_timestamp
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.invite_link_pb import (
    CreateInviteLinkRequest,
    CreateInviteLinkResponse,
    InviteLink,
    ListInviteLinksRequest,
    ListInviteLinksResponse,
    RedeemInviteLinkRequest,
    RedeemInviteLinkResponse,
    RevokeInviteLinkRequest,
    RevokeInviteLinkResponse,
    ValidateInviteLinkRequest,
    ValidateInviteLinkResponse,
)
from pidgr.directory import invite_link_store
from pidgr.directory.granting import could_invite_with, invitation_role
from pidgr.directory.invite_link_store import NewInviteLink, StoredInviteLink
from pidgr.directory.invite_links import PATH, InviteLinks, digest, new_token
from pidgr.errors import NotFoundError, Violations
from pidgr.identity.caller import Caller
from pidgr.secrets import MasterKey
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import REGIONS, check_choice, check_email, require_uuid

LONGEST_HOURS: Final = 8_760
DEFAULT_HOURS: Final = 168
MOST_USES: Final = 100_000

_MOST_LISTED: Final = 1_000
_PURPOSE: Final = "invite-link"


class InviteLinkService:
    """Makes, lists and ends links, and lets people in by them."""

    def __init__(
        self, links: InviteLinks, master_key: MasterKey, base_url: str, clock: Clock
    ) -> None:
        self._links = links
        self._master_key = master_key
        self._base_url = base_url.rstrip("/") + PATH
        self._clock = clock

    def create_invite_link(
        self, request: CreateInviteLinkRequest, caller: Caller, transaction: Transaction
    ) -> CreateInviteLinkResponse:
        """Make a link.

        Raises:
            InvalidArgumentError: a malformed field.
            NotFoundError: no such role.
            PermissionDeniedError: the role allows something that the caller may not do.
        """
        _validate(request)
        role = invitation_role(transaction, caller, request.role_id)
        token, now = new_token(), self._clock.now()
        new = NewInviteLink(
            id=str(uuid.uuid4()),
            organization_key=caller.organization_key,
            digest=digest(token),
            sealed_token=self._master_key.seal(_PURPOSE, token.encode()),
            role_key=role.key,
            max_uses=request.max_uses,
            data_governance_region=request.data_governance_region,
            created_by=caller.actor_id,
            created_at=now,
            expires_at=now + (request.expires_in_hours or DEFAULT_HOURS) * HOUR,
        )
        invite_link_store.insert(transaction, new)
        trail.record(
            transaction,
            caller,
            AuditEventType.INVITE_LINK_CREATED,
            "invite_link",
            new.id,
            now=now,
            role=role.slug,
            max_uses=new.max_uses,
            expires_at=to_datetime(new.expires_at).isoformat(),
        )
        stored = invite_link_store.link(transaction, caller.organization_key, new.id)
        assert stored is not None  # noqa: S101 - it was stored a moment ago
        return CreateInviteLinkResponse(
            invite_link=self._message(stored, caller, now), url=f"{self._base_url}/{token}"
        )

    def list_invite_links(
        self, request: ListInviteLinksRequest, caller: Caller, reader: Reader
    ) -> ListInviteLinksResponse:
        """Return the newest links, ended ones included.

        A link gives its role to whoever has its token: those see it who could make such a link.
        """
        del request
        found = invite_link_store.links(reader, caller.organization_key, _MOST_LISTED)
        now = self._clock.now()
        links = [self._message(one, caller, now) for one in found]
        return ListInviteLinksResponse(invite_links=links)

    def revoke_invite_link(
        self, request: RevokeInviteLinkRequest, caller: Caller, transaction: Transaction
    ) -> RevokeInviteLinkResponse:
        """End a link; repeats change nothing.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: the organization has no such link.
        """
        link_id = require_uuid("invite_link_id", request.invite_link_id)
        organization_key, now = caller.organization_key, self._clock.now()
        if invite_link_store.link(transaction, organization_key, link_id) is None:
            raise NotFoundError(f"no invite link has the id {link_id}")
        if invite_link_store.revoke(transaction, organization_key, link_id, now):
            trail.record(
                transaction,
                caller,
                AuditEventType.INVITE_LINK_REVOKED,
                "invite_link",
                link_id,
                now=now,
            )
        return RevokeInviteLinkResponse()

    def validate_invite_link(
        self, request: ValidateInviteLinkRequest, caller: Caller, transaction: Transaction
    ) -> ValidateInviteLinkResponse:
        """Tell where a link leads, and let an address ask for a sign-in code.

        Raises:
            InvalidArgumentError: a malformed address.
            NotFoundError: the link lets nobody in.
        """
        del caller
        if not request.email:
            link = self._links.look(transaction, request.token)
        else:
            violations = Violations()
            check_email(violations, "email", request.email)
            violations.raise_if_any()
            link = self._links.open_to(transaction, request.token, request.email)
        return ValidateInviteLinkResponse(organization_name=link.organization_name)

    def redeem_invite_link(
        self, request: RedeemInviteLinkRequest, caller: Caller, transaction: Transaction
    ) -> RedeemInviteLinkResponse:
        """Make the caller a member.

        Raises:
            NotFoundError: the link lets nobody in.
            FailedPreconditionError: the credential names no address.
            AlreadyExistsError: the caller, or their address, is a member.
            PermissionDeniedError: their membership was ended.
        """
        name = self._links.redeem(transaction, caller, request.token)
        return RedeemInviteLinkResponse(organization_name=name)

    def _message(self, stored: StoredInviteLink, caller: Caller, now: int) -> InviteLink:
        token = ""
        if _is_live(stored, now) and could_invite_with(
            caller, stored.role_slug or "", stored.role_permissions or ""
        ):
            token = self._master_key.unseal(_PURPOSE, stored.sealed_token).decode()
        return InviteLink(
            id=stored.id,
            token=token,
            role_id=stored.role_id or "",
            max_uses=stored.max_uses,
            use_count=stored.use_count,
            expires_at=to_timestamp(stored.expires_at),
            revoked_at=None if stored.revoked_at is None else to_timestamp(stored.revoked_at),
            created_by=stored.created_by,
            created_at=to_timestamp(stored.created_at),
            data_governance_region=stored.data_governance_region,
        )


def _is_live(stored: StoredInviteLink, now: int) -> bool:
    used_up = 0 < stored.max_uses <= stored.use_count
    return stored.revoked_at is None and now < stored.expires_at and not used_up


def _validate(request: CreateInviteLinkRequest) -> None:
    violations = Violations()
    if not 0 <= request.max_uses <= MOST_USES:
        violations.add("max_uses", f"must be between 0 and {MOST_USES:,}")
    if not 0 <= request.expires_in_hours <= LONGEST_HOURS:
        violations.add("expires_in_hours", f"must be between 1 and {LONGEST_HOURS:,}, or 0")
    check_choice(violations, "data_governance_region", request.data_governance_region, REGIONS)
    violations.raise_if_any()
