"""How claims of the identity provider fill profiles: rules and stored form (SEMANTICS 2.9)."""

import json
from collections.abc import Sequence
from typing import Final

from pidgr.contract.v1.organization_pb import SsoAttributeMapping
from pidgr.directory.profile import MOST_ATTRIBUTES, PROFILE_FIELDS
from pidgr.errors import Violations
from pidgr.validation import check_text

_CLAIM_LENGTH: Final = 500
_FIELD_LENGTH: Final = 100
_CUSTOM: Final = "custom:"
# A profile has no room for more.
_MOST: Final = len(PROFILE_FIELDS) + MOST_ATTRIBUTES


def check_mappings(
    violations: Violations, path: str, mappings: Sequence[SsoAttributeMapping]
) -> None:
    """Note claims and fields that are malformed, unknown, filled twice or too many."""
    if len(mappings) > _MOST:
        violations.add(path, f"must have at most {_MOST} entries, has {len(mappings):,}")
        return
    filled: set[str] = set()
    for index, mapping in enumerate(mappings):
        here = f"{path}[{index}]"
        field = mapping.profile_field
        check_text(violations, f"{here}.idp_claim", mapping.idp_claim, _CLAIM_LENGTH, required=True)
        if len(field) > _FIELD_LENGTH or "\0" in field:
            check_text(violations, f"{here}.profile_field", field, _FIELD_LENGTH)
        elif field not in PROFILE_FIELDS and not field.removeprefix(_CUSTOM).strip():
            violations.add(f"{here}.profile_field", "must name a field")
        elif field not in PROFILE_FIELDS and not field.startswith(_CUSTOM):
            choices = ", ".join(PROFILE_FIELDS)
            violations.add(f"{here}.profile_field", f"must be one of {choices}, or custom:NAME")
        elif field in filled:
            violations.add(f"{here}.profile_field", "is filled by another mapping already")
        filled.add(field)


def mappings_to_json(mappings: Sequence[SsoAttributeMapping]) -> str:
    """Return the stored form: an array of (claim, profile field)."""
    return json.dumps(
        [(mapping.idp_claim, mapping.profile_field) for mapping in mappings], ensure_ascii=False
    )


def mappings_from_json(stored: str) -> list[SsoAttributeMapping]:
    """Return what ``mappings_to_json`` stored."""
    return [
        SsoAttributeMapping(idp_claim=claim, profile_field=field)
        for claim, field in json.loads(stored)
    ]
