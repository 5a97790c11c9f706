import uuid

import pytest
from support.organization import START, Installation, Tenant

from pidgr.clock import SECOND, to_timestamp
from pidgr.contract.v1.common_pb import Permission, Platform
from pidgr.contract.v1.device_pb import (
    DeactivateRequest,
    DeviceSummary,
    ListDevicesRequest,
    ListMemberDevicesRequest,
    RegisterRequest,
)
from pidgr.errors import InvalidArgumentError, NotFoundError, PermissionDeniedError
from pidgr.identity.caller import Caller
from pidgr.inbox.device_service import DeviceService
from pidgr.storage.sql import Statement

PHONE = "0b6f8a52-4a0e-4a3c-9d0a-2f6a3c1b7e11"
ANY_TOKEN = "token"
TABLET = "7c1de0aa-0f3f-4a55-8a0e-93a9f7d2c622"


class Devices:
    """DeviceService in one installation."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.service = DeviceService(installation.clock)

    def register(
        self,
        caller: Caller,
        device_id: str = PHONE,
        *,
        platform: Platform = Platform.IOS,
        push_token: str = ANY_TOKEN,
    ) -> DeviceSummary:
        request = RegisterRequest(device_id=device_id, platform=platform, push_token=push_token)
        device = self.installation.write(
            lambda unit: self.service.register(request, caller, unit)
        ).device
        assert device is not None
        return device

    def deactivate(self, caller: Caller, device_id: str = PHONE) -> bool:
        request = DeactivateRequest(device_id=device_id)
        return self.installation.write(
            lambda unit: self.service.deactivate(request, caller, unit)
        ).success

    def own(self, caller: Caller) -> list[DeviceSummary]:
        response = self.installation.read(
            lambda unit: self.service.list_devices(ListDevicesRequest(), caller, unit)
        )
        return list(response.devices)

    def of(self, user_id: str, caller: Caller) -> list[DeviceSummary]:
        request = ListMemberDevicesRequest(user_id=user_id)
        response = self.installation.read(
            lambda unit: self.service.list_member_devices(request, caller, unit)
        )
        return list(response.devices)

    def token(self) -> str:
        token: str = self.installation.read(
            lambda unit: unit.value(Statement("select push_token from device"))
        )
        return token


@pytest.fixture
def devices(installation: Installation) -> Devices:
    return Devices(installation)


def test_a_new_device_is_active_and_its_token_stays_inside(devices: Devices, acme: Tenant) -> None:
    summary = devices.register(acme.admin, push_token="very secret")
    assert summary == DeviceSummary(
        device_id=PHONE,
        user_id=acme.admin.member().id,
        platform=Platform.IOS,
        active=True,
        last_seen=to_timestamp(START),
        created_at=to_timestamp(START),
    )
    assert devices.own(acme.admin) == [summary]
    assert devices.token() == "very secret"
    assert "very secret" not in repr(summary)


def test_registering_again_renews_the_device(devices: Devices, acme: Tenant) -> None:
    devices.register(acme.admin)
    assert devices.deactivate(acme.admin)
    devices.installation.clock.advance(SECOND)
    renewed = devices.register(
        acme.admin, PHONE.upper(), platform=Platform.ANDROID, push_token="new token"
    )
    assert renewed.active
    assert renewed.platform == Platform.ANDROID
    assert renewed.created_at == to_timestamp(START)
    assert renewed.last_seen == to_timestamp(START + SECOND)
    assert devices.own(acme.admin) == [renewed]
    assert devices.token() == "new token"


@pytest.mark.parametrize("foreign", [False, True])
def test_a_shared_phone_moves_to_who_registers_it(
    devices: Devices, acme: Tenant, foreign: bool
) -> None:
    devices.register(acme.admin)
    devices.installation.clock.advance(SECOND)
    tenant = devices.installation.found("Beta", "bob@example.com") if foreign else acme
    other = tenant.add_member("eve@example.com")
    moved = devices.register(other, push_token="eve's")
    assert moved.user_id == other.member().id
    assert moved.created_at == to_timestamp(START + SECOND)
    assert devices.own(acme.admin) == []
    assert devices.own(other) == [moved]
    with pytest.raises(NotFoundError):
        devices.deactivate(acme.admin)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (RegisterRequest(platform=Platform.IOS, push_token="t"), "device_id"),
        (RegisterRequest(device_id="phone", platform=Platform.IOS, push_token="t"), "device_id"),
        (RegisterRequest(device_id=PHONE, push_token="t"), "platform"),
        (RegisterRequest(device_id=PHONE, platform=Platform(9), push_token="t"), "platform"),
        (RegisterRequest(device_id=PHONE, platform=Platform.IOS), "push_token"),
        (
            RegisterRequest(device_id=PHONE, platform=Platform.IOS, push_token="t" * 4_097),
            "push_token",
        ),
        (RegisterRequest(device_id=PHONE, platform=Platform.IOS, push_token="\0"), "push_token"),
    ],
)
def test_a_malformed_device_names_its_field_and_not_its_token(
    devices: Devices, acme: Tenant, request_: RegisterRequest, field: str
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        devices.installation.write(
            lambda unit: devices.service.register(request_, acme.admin, unit)
        )
    assert [violation.field for violation in raised.value.violations] == [field]
    assert "tttt" not in str(raised.value)
    assert devices.own(acme.admin) == []


def test_a_token_of_4096_characters_is_taken(devices: Devices, acme: Tenant) -> None:
    assert devices.register(acme.admin, push_token="t" * 4_096).active


def test_deactivating_can_be_repeated(devices: Devices, acme: Tenant) -> None:
    devices.register(acme.admin)
    assert devices.deactivate(acme.admin)
    assert devices.deactivate(acme.admin, PHONE.upper())
    assert [device.active for device in devices.own(acme.admin)] == [False]


def test_an_unknown_device_is_not_found(devices: Devices, acme: Tenant) -> None:
    with pytest.raises(NotFoundError):
        devices.deactivate(acme.admin)
    with pytest.raises(InvalidArgumentError):
        devices.deactivate(acme.admin, "phone")


def test_somebody_elses_device_is_not_found_and_stays_active(
    devices: Devices, acme: Tenant
) -> None:
    devices.register(acme.admin)
    other = acme.add_member("eve@example.com")
    stranger = devices.installation.found("Beta", "bob@example.com").admin
    for caller in (other, stranger):
        with pytest.raises(NotFoundError):
            devices.deactivate(caller)
    assert [device.active for device in devices.own(acme.admin)] == [True]


def test_the_last_seen_device_comes_first(devices: Devices, acme: Tenant) -> None:
    devices.register(acme.admin, PHONE)
    devices.installation.clock.advance(SECOND)
    devices.register(acme.admin, TABLET)
    assert [device.device_id for device in devices.own(acme.admin)] == [TABLET, PHONE]
    devices.installation.clock.advance(SECOND)
    devices.register(acme.admin, PHONE)
    devices.deactivate(acme.admin, TABLET)
    assert [device.device_id for device in devices.own(acme.admin)] == [PHONE, TABLET]


def test_an_api_key_has_no_devices(devices: Devices, acme: Tenant) -> None:
    program = acme.api_key(Permission.MEMBERS_READ)
    for attempt in (devices.register, devices.deactivate, devices.own):
        with pytest.raises(PermissionDeniedError):
            attempt(program)


def test_others_devices_need_a_permission(devices: Devices, acme: Tenant) -> None:
    employee = acme.add_member("eve@example.com")
    summary = devices.register(employee)
    employee_id = employee.member().id
    assert devices.of(employee_id, employee) == [summary]
    assert devices.of(employee_id.upper(), acme.admin) == [summary]
    assert devices.of(employee_id, acme.api_key(Permission.MEMBERS_READ)) == [summary]
    with pytest.raises(PermissionDeniedError, match="requires MEMBERS_READ permission"):
        devices.of(acme.admin.member().id, employee)
    with pytest.raises(PermissionDeniedError):
        devices.of(employee_id, acme.api_key())


def test_devices_of_an_unknown_or_foreign_member_are_not_found(
    devices: Devices, acme: Tenant
) -> None:
    stranger = devices.installation.found("Beta", "bob@example.com").admin
    devices.register(stranger)
    for user_id in (str(uuid.uuid4()), stranger.member().id):
        with pytest.raises(NotFoundError):
            devices.of(user_id, acme.admin)
    with pytest.raises(InvalidArgumentError):
        devices.of("", acme.admin)
