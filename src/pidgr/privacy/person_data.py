"""The copy of a person's data, as a JSON document that people and programs can read."""

import json
from collections.abc import Callable, Mapping
from typing import Final

from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.nudge_store import NudgeStatus
from pidgr.campaigns.workflow import channel_name
from pidgr.clock import to_datetime
from pidgr.contract.v1.api_key_pb import KeyType
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.campaign_pb import Delivery
from pidgr.contract.v1.common_pb import CampaignStatus, DeliveryStatus, Platform
from pidgr.contract.v1.organization_pb import OrgType
from pidgr.contract.v1.privacy_pb import PrivacyRequestStatus
from pidgr.contract.v1.template_pb import TemplateType, TranslationStatus
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
    ("nudges", "channel"): channel_name,
    ("nudges", "status"): lambda number: NudgeStatus(number).name,
    ("audit_events", "event_type"): lambda number: AuditEventType(number).name,
    # Those of a whole organization.
    ("organization", "org_type"): lambda number: OrgType(number).name,
    ("members", "status"): lambda number: UserStatus(number).name,
    ("members", "theme_preference"): lambda number: ThemePreference(number).name,
    ("campaigns", "status"): lambda number: CampaignStatus(number).name,
    ("deliveries", "kind"): lambda number: Delivery.Kind(number).name,
    ("deliveries", "status"): lambda number: DeliveryStatus(number).name,
    ("templates", "type"): lambda number: TemplateType(number).name,
    ("template_translations", "status"): lambda number: TranslationStatus(number).name,
    ("api_keys", "key_type"): lambda number: KeyType(number).name,
    ("privacy_requests", "status"): lambda number: PrivacyRequestStatus(number).name,
}
_JSON_COLUMNS: Final = frozenset(
    {
        "custom_attributes",
        "facts",
        "directory_emails",
        "directory_phone_numbers",
        "default_workflow",
        "sso_attribute_mappings",
        "workflow",
        "variables",
    }
)
_FLAGS: Final = frozenset(
    {"active", "processing_restricted", "is_default", "critical", "synthetic", "enabled"}
)
_WITH_DELIVERY_IDS: Final = frozenset({"messages", "deliveries"})


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
            readable(category, row, delivery_ids)
            for row in person_store.part(reader, category, organization_key, member_key)
        ]
        for category in person_store.CATEGORIES
    }
    profile = parts["profile"]
    parts["profile"] = profile[0] if isinstance(profile, list) and profile else None
    whole = {
        "format": _FORMAT,
        "organization": organization_name,
        "made_at": moment(now),
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


def readable(category: str, row: dict[str, object], delivery_ids: DeliveryIds) -> dict[str, object]:
    """Return a row with the ids, names and times that people and programs can read."""
    if category in _WITH_DELIVERY_IDS:
        run, ordinal = row.pop("step_run_key"), row.pop("ordinal")
        assert isinstance(run, int)  # noqa: S101 - a key
        assert isinstance(ordinal, int)  # noqa: S101 - a number
        row = {"delivery_id": delivery_ids.encode(run, ordinal), **row}
    return {name: _value(category, name, value) for name, value in row.items()}


def _value(category: str, name: str, value: object) -> object:
    if value is None:
        return None
    if name.endswith("_at") and isinstance(value, int):
        return moment(value)
    if name in _FLAGS:
        return bool(value)
    if name in _JSON_COLUMNS and isinstance(value, str):
        return json.loads(value) if value else {}
    if (category, name) in _NAMES and isinstance(value, int):
        return _NAMES[category, name](value)
    return value


def moment(microseconds: int) -> str:
    """Return a stored time as ISO 8601 has it."""
    return to_datetime(microseconds).isoformat().replace("+00:00", "Z")
