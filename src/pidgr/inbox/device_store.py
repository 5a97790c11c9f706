"""SQL of push devices."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredDevice:
    """A device as it may be shown: everything but its push token."""

    id: str
    platform: int
    active: bool
    last_seen_at: int
    created_at: int


# An id is one phone, whoever holds it and in whichever organization: it moves to the caller, and
# nothing of the former holder comes with it.
_REGISTER: Final = Statement("""
    insert into device
      (id, organization_key, member_key, platform, push_token, active, last_seen_at, created_at)
    values
      (:id, :organization_key, :member_key, :platform, :push_token, true, :now, :now)
    on conflict (id) do update set
      organization_key = excluded.organization_key,
      member_key = excluded.member_key,
      platform = excluded.platform,
      push_token = excluded.push_token,
      active = true,
      last_seen_at = excluded.last_seen_at,
      created_at = case when device.member_key = excluded.member_key
        then device.created_at else excluded.created_at end
""")
_DEACTIVATE: Final = Statement("""
    update device set active = false
    where organization_key = :organization_key and member_key = :member_key and id = :id
""")
_COLUMNS: Final = "id, platform, active, last_seen_at, created_at"
_BY_ID: Final = Statement(f"""
    select {_COLUMNS} from device
    where organization_key = :organization_key and member_key = :member_key and id = :id
""")
_OF_MEMBER: Final = Statement(f"""
    select {_COLUMNS} from device
    where organization_key = :organization_key and member_key = :member_key
    order by last_seen_at desc, id
""")


def register(
    transaction: Transaction,
    organization_key: int,
    member_key: int,
    *,
    device_id: str,
    platform: int,
    push_token: str,
    now: int,
) -> None:
    """Store a device as the member's, active, or renew it."""
    transaction.execute(
        _REGISTER,
        {
            "id": device_id,
            "organization_key": organization_key,
            "member_key": member_key,
            "platform": platform,
            "push_token": push_token,
            "now": now,
        },
    )


def deactivate(
    transaction: Transaction, organization_key: int, member_key: int, device_id: str
) -> bool:
    """Stop pushes to a member's device; False when they have no such device."""
    parameters = {
        "organization_key": organization_key,
        "member_key": member_key,
        "id": device_id,
    }
    return transaction.execute(_DEACTIVATE, parameters) == 1


def device(
    reader: Reader, organization_key: int, member_key: int, device_id: str
) -> StoredDevice | None:
    """Find one of a member's devices."""
    parameters = {
        "organization_key": organization_key,
        "member_key": member_key,
        "id": device_id,
    }
    return reader.record(StoredDevice, _BY_ID, parameters)


def devices(reader: Reader, organization_key: int, member_key: int) -> list[StoredDevice]:
    """Return a member's devices, active or not, last seen first."""
    parameters = {"organization_key": organization_key, "member_key": member_key}
    return reader.records(StoredDevice, _OF_MEMBER, parameters)
