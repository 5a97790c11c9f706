"""Corrections of a person's data, and the profile that they make."""

from collections.abc import Mapping
from typing import Final

from pidgr.contract.v1.user_pb import UserProfile
from pidgr.directory.profile import PROFILE_FIELDS
from pidgr.errors import Violations

_CUSTOM: Final = "custom:"


def profile_of(corrections: Mapping[str, str]) -> UserProfile:
    """Return corrections as what is merged into a profile.

    Raises:
        InvalidArgumentError: there are none, or one of an unknown field or with an empty value.
    """
    violations = Violations()
    if not corrections:
        violations.add("corrections", "must have at least one entry")
    fields: dict[str, str] = {}
    attributes: dict[str, str] = {}
    for name, value in corrections.items():
        path = f"corrections[{name[:100]}]"
        if name.startswith(_CUSTOM) and name.removeprefix(_CUSTOM).strip():
            attributes[name.removeprefix(_CUSTOM)] = value
        elif name not in (*PROFILE_FIELDS, "manager_id"):
            violations.add(path, "is no field of a profile, and not custom:NAME")
        elif not value.strip():
            violations.add(path, "must not be empty")
        else:
            fields[name] = value
    violations.raise_if_any()
    return UserProfile(**fields, custom_attributes=attributes)
