"""What is known of a person: limits of the fields, and their stored form.

Source of the limits: SEMANTICS 2.8.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Final

from pidgr.contract.v1.user_pb import UserProfile
from pidgr.errors import Violations
from pidgr.validation import check_text, is_uuid

# The names are the same in UserProfile, in the member table and in templates.
PROFILE_FIELDS: Final = (
    "first_name",
    "last_name",
    "department",
    "title",
    "phone",
    "location",
    "employee_id",
    "manager_name",
    "start_date",
)
FIELD_LENGTH: Final = 200
MOST_ATTRIBUTES: Final = 50
ATTRIBUTE_NAME_LENGTH: Final = 100
ATTRIBUTE_VALUE_LENGTH: Final = 1_000

# date.fromisoformat alone also takes 20240229 and week dates.
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def check_profile(violations: Violations, path: str, profile: UserProfile) -> None:
    """Note every field of a profile that is malformed or too long."""
    for field in PROFILE_FIELDS:
        value = getattr(profile, field)
        if value:
            check_text(violations, f"{path}.{field}", value, FIELD_LENGTH)
    if profile.start_date and not _is_date(profile.start_date):
        violations.add(f"{path}.start_date", "must be a date as YYYY-MM-DD")
    if profile.manager_id and not is_uuid(profile.manager_id.lower()):
        violations.add(f"{path}.manager_id", "must be a UUID")
    if profile.custom_attributes:
        check_attributes(violations, f"{path}.custom_attributes", profile.custom_attributes)


def check_attributes(violations: Violations, path: str, attributes: Mapping[str, str]) -> None:
    """Note custom attributes beyond their limits."""
    if len(attributes) > MOST_ATTRIBUTES:
        violations.add(path, f"must have at most {MOST_ATTRIBUTES} entries")
    for name, value in attributes.items():
        check_text(violations, path, name, ATTRIBUTE_NAME_LENGTH, required=True)
        # The start of a name that is too long itself would not fit an error message.
        shown = name[:ATTRIBUTE_NAME_LENGTH]
        check_text(violations, f"{path}[{shown}]", value, ATTRIBUTE_VALUE_LENGTH)


def attributes_to_json(attributes: Mapping[str, str]) -> str:
    """Return the stored form: names in order, empty values left out (they mean "none")."""
    if not attributes:
        return "{}"
    given = {name: value for name, value in attributes.items() if value}
    return json.dumps(given, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def attributes_from_json(stored: str) -> dict[str, str]:
    """Return what ``attributes_to_json`` stored."""
    if stored == "{}":
        return {}
    attributes: dict[str, str] = json.loads(stored)
    return attributes


def _is_date(text: str) -> bool:
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
