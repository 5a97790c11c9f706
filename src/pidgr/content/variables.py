"""A template's declared variables: limits and stored form (SEMANTICS section 5)."""

import json
from collections.abc import Sequence
from typing import Final

from protobuf import message_from_json_value, message_to_json_value

from pidgr.content.placeholders import VARIABLE_NAME
from pidgr.contract.v1.template_pb import TemplateVariable
from pidgr.errors import Violations
from pidgr.validation import check_enum, check_text

DESCRIPTION_LENGTH: Final = 500
DEFAULT_VALUE_LENGTH: Final = 1_000
# The contract names none; without one a template could be as large as a request, and a page of a
# hundred of them would not fit anywhere.
MOST_VARIABLES: Final = 200


def check_variables(violations: Violations, variables: Sequence[TemplateVariable]) -> None:
    """Note variables that are malformed, too many or declared twice."""
    if len(variables) > MOST_VARIABLES:
        violations.add("variables", f"must have at most {MOST_VARIABLES} entries")
        return
    seen: set[str] = set()
    for place, variable in enumerate(variables):
        path = f"variables[{place}]"
        if VARIABLE_NAME.fullmatch(variable.name) is None:
            violations.add(
                f"{path}.name",
                "must be a letter or underscore, then letters, digits, underscores, dots or "
                "hyphens, at most 100 characters",
            )
        elif variable.name in seen:
            violations.add(f"{path}.name", f"{variable.name!r} is declared twice")
        seen.add(variable.name)
        check_text(violations, f"{path}.description", variable.description, DESCRIPTION_LENGTH)
        check_text(
            violations, f"{path}.default_value", variable.default_value, DEFAULT_VALUE_LENGTH
        )
        check_enum(violations, f"{path}.source", variable.source)


def variables_to_json(variables: Sequence[TemplateVariable]) -> str:
    """Return the stored form."""
    values = [message_to_json_value(variable) for variable in variables]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def variables_from_json(stored: str) -> list[TemplateVariable]:
    """Return what ``variables_to_json`` stored."""
    return [message_from_json_value(TemplateVariable, value) for value in json.loads(stored)]
