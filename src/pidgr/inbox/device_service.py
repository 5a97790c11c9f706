"""DeviceService: phones that receive pushes (SEMANTICS 2.4). A push token never leaves it."""

from typing import Final

from pidgr.clock import Clock, to_timestamp
from pidgr.contract.v1.common_pb import Permission, Platform
from pidgr.contract.v1.device_pb import (
    DeactivateRequest,
    DeactivateResponse,
    DeviceSummary,
    ListDevicesRequest,
    ListDevicesResponse,
    ListMemberDevicesRequest,
    ListMemberDevicesResponse,
    RegisterRequest,
    RegisterResponse,
)
from pidgr.directory import member_store
from pidgr.errors import NotFoundError, UnauthenticatedError, Violations
from pidgr.identity.caller import Caller
from pidgr.inbox import device_store
from pidgr.inbox.device_store import StoredDevice
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import check_enum, check_text, require_uuid

_PUSH_TOKEN_LENGTH: Final = 4_096


class DeviceService:
    """Keeps members' devices."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def register(
        self, request: RegisterRequest, caller: Caller, unit: Transaction
    ) -> RegisterResponse:
        """Store or renew a device of the caller's, active; one of somebody else's moves to them.

        Raises:
            InvalidArgumentError: a malformed field.
            PermissionDeniedError: the caller is an API key.
            UnauthenticatedError: the caller has just been deactivated.
        """
        person = caller.member()
        device_id = require_uuid("device_id", request.device_id)
        violations = Violations()
        check_enum(violations, "platform", request.platform, required=True)
        check_text(violations, "push_token", request.push_token, _PUSH_TOKEN_LENGTH, required=True)
        violations.raise_if_any()
        organization_key = caller.organization_key
        # The credential may have been good a moment ago: a device registered while its member is
        # shut out would go on getting pushes.
        if not member_store.hold_open_member(unit, organization_key, person.key):
            raise UnauthenticatedError("this member has been deactivated")
        device_store.register(
            unit,
            organization_key,
            person.key,
            device_id=device_id,
            platform=request.platform,
            push_token=request.push_token,
            now=self._clock.now(),
        )
        stored = device_store.device(unit, organization_key, person.key, device_id)
        if stored is None:
            raise LookupError(device_id)
        return RegisterResponse(device=_summary(stored, person.id))

    def deactivate(
        self, request: DeactivateRequest, caller: Caller, unit: Transaction
    ) -> DeactivateResponse:
        """Stop pushes to one of the caller's devices.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            NotFoundError: the caller has no such device.
            PermissionDeniedError: the caller is an API key.
        """
        person = caller.member()
        device_id = require_uuid("device_id", request.device_id)
        if not device_store.deactivate(unit, caller.organization_key, person.key, device_id):
            raise NotFoundError(f"you have no device with the id {device_id}")
        return DeactivateResponse(success=True)

    def list_devices(
        self, request: ListDevicesRequest, caller: Caller, unit: Reader
    ) -> ListDevicesResponse:
        """Return the caller's devices, active or not, last seen first.

        Raises:
            PermissionDeniedError: the caller is an API key.
        """
        del request
        person = caller.member()
        found = device_store.devices(unit, caller.organization_key, person.key)
        return ListDevicesResponse(devices=[_summary(stored, person.id) for stored in found])

    def list_member_devices(
        self, request: ListMemberDevicesRequest, caller: Caller, unit: Reader
    ) -> ListMemberDevicesResponse:
        """Return a member's devices: one's own freely, others' with MEMBERS_READ.

        Raises:
            InvalidArgumentError: the id is not a UUID.
            PermissionDeniedError: somebody else's without MEMBERS_READ.
            NotFoundError: no such member.
        """
        user_id = require_uuid("user_id", request.user_id)
        if caller.person is None or user_id != caller.person.id:
            caller.require(Permission.MEMBERS_READ)
        organization_key = caller.organization_key
        member_key = member_store.member_key(unit, organization_key, user_id)
        if member_key is None:
            raise NotFoundError(f"no user has the id {user_id}")
        found = device_store.devices(unit, organization_key, member_key)
        return ListMemberDevicesResponse(devices=[_summary(stored, user_id) for stored in found])


def _summary(stored: StoredDevice, user_id: str) -> DeviceSummary:
    return DeviceSummary(
        device_id=stored.id,
        user_id=user_id,
        platform=Platform(stored.platform),
        active=bool(stored.active),
        last_seen=to_timestamp(stored.last_seen_at),
        created_at=to_timestamp(stored.created_at),
    )
