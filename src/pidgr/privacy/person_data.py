"""The copy of a person's data, as a JSON document that people and programs can read."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.clock import to_datetime
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import DeliveryStatus, Platform
from pidgr.contract.v1.user_pb import ThemePreference, UserStatus
from pidgr.privacy import person_store
from pidgr.storage.transaction import Reader

_FORMAT: Final = "pidgr-user-data/1"

# By category and column: what a stored number is called.
_NAMES: Final[Mapping[tuple[str, str], Callable[[int], str]]] = {
    ("profile", "status"): lambda number: UserStatus(number).name,
    ("profile", "theme_preference"): lambda number: ThemePreference(number).name,
    ("devices", "platform"): lambda number: Platform(number).name,
    ("messages", "kind"): lambda number: Delivery.Kind(number).name,
    ("messages", "status"): lambda number: DeliveryStatus(number).name,
    ("audit_events", "event_type"): lambda number: AuditEventType(number).name,
}
_JSON_COLUMNS: Final = frozenset(
    {"custom_attributes", "facts", "directory_emails", "directory_phone_numbers"}
)
_FLAGS: Final = frozenset({"active", "processing_restricted"})


def document(
    reader: Reader,
    delivery_ids: DeliveryIds,
    organization_key: int,
    organization_name: str,
    member_key: int,
    now: int,
) -> bytes:
    """Return everything that is known of a person in an organization, in UTF-8."""
    parts: dict[str, object] = {
        category: [
            _readable(category, row, delivery_ids)
            for row in person_store.part(reader, category, organization_key, member_key)
        ]
        for category in person_store.CATEGORIES
    }
    profile = parts["profile"]
    parts["profile"] = profile[0] if isinstance(profile, list) and profile else None
    whole = {
        "format": _FORMAT,
        "organization": organization_name,
        "made_at": _moment(now),
        **parts,
    }
    return json.dumps(whole, ensure_ascii=False, indent=2).encode()


def categories(reader: Reader, organization_key: int, member_key: int) -> list[str]:
    """Return the kinds of data that there are of a person."""
    return [
        category
        for category in person_store.CATEGORIES
        if person_store.part(reader, category, organization_key, member_key)
    ]


def _readable(
    category: str, row: dict[str, object], delivery_ids: DeliveryIds
) -> dict[str, object]:
    if category == "messages":
        run, ordinal = row.pop("step_run_key"), row.pop("ordinal")
        assert isinstance(run, int)  # noqa: S101 - a key
        assert isinstance(ordinal, int)  # noqa: S101 - a number
        row = {"delivery_id": delivery_ids.encode(run, ordinal), **row}
    return {name: _value(category, name, value) for name, value in row.items()}


def _value(category: str, name: str, value: object) -> object:
    if value is None:
        return None
    if name.endswith("_at") and isinstance(value, int):
        return _moment(value)
    if name in _FLAGS:
        return bool(value)
    if name in _JSON_COLUMNS and isinstance(value, str):
        return json.loads(value) if value else {}
    if (category, name) in _NAMES and isinstance(value, int):
        return _NAMES[category, name](value)
    return value


def _moment(microseconds: int) -> str:
    return to_datetime(microseconds).isoformat().replace("+00:00", "Z")
