"""Reading what directories send, with the habits of those that keep to the RFCs loosely."""

import json
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from pydantic import ValidationError
from scim2_models import (
    Context,
    Error,
    InvalidSyntaxException,
    PatchOp,
    Resource,
    ResponseParameters,
    SCIMException,
    ScimFilter,
)

from pidgr.scim.resources import ENTERPRISE_SCHEMA, POLICY, Group, ScimUser
from pidgr.validation import is_email

MOST_OPERATIONS: Final = 1_000
"""How many operations one PATCH may have."""

_MANAGER: Final = f"{ENTERPRISE_SCHEMA}:manager".lower()

Payload = dict[str, Any]
AnyResource = TypeVar("AnyResource", bound=Resource[Any])
Shown = ResponseParameters[Any]
"""Which attributes a caller wants to see."""


class InvalidPayloadError(SCIMException):
    """What cannot be read, as the library tells it."""


def parse(body: bytes) -> Payload:
    """Return a JSON object.

    Raises:
        SCIMException: it is none, or holds what is no character.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        raise InvalidSyntaxException(detail="the body is not a JSON object")
    # JSON can spell halves of characters, and databases store neither those nor NUL.
    if any("\0" in text or _is_broken(text) for text in _texts(payload)):
        raise InvalidSyntaxException(detail="the body holds what is no character")
    return payload


def user(payload: Payload, current: Payload | None = None) -> ScimUser:
    """Return the User of a POST, or with the representation it replaces, of a PUT.

    Raises:
        SCIMException: it is no User.
    """
    payload = _with_defaults(payload, current or {})
    context = (
        Context.RESOURCE_CREATION_REQUEST
        if current is None
        else Context.RESOURCE_REPLACEMENT_REQUEST
    )
    return _validate(ScimUser, payload, context)


def group(payload: Payload, *, replaces: bool = False) -> Group:
    """Return the Group of a POST or PUT.

    Raises:
        SCIMException: it is no Group.
    """
    context = (
        Context.RESOURCE_REPLACEMENT_REQUEST if replaces else Context.RESOURCE_CREATION_REQUEST
    )
    return _validate(Group, payload, context)


def patch(model: type[AnyResource], payload: Payload) -> PatchOp[AnyResource]:
    """Return the operations of a PATCH.

    Raises:
        SCIMException: they cannot be applied to any such resource.
    """
    operations = next((v for k, v in payload.items() if k.lower() == "operations"), None)
    if isinstance(operations, list):
        if len(operations) > MOST_OPERATIONS:
            raise InvalidSyntaxException(detail=f"at most {MOST_OPERATIONS:,} operations at once")
        payload = {"schemas": payload.get("schemas"), "Operations": [*map(_usual, operations)]}
    try:
        return PatchOp[model].model_validate(  # type: ignore[valid-type]
            payload, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
        )
    except ValidationError as error:
        raise refusal(error) from error


def shown(model: type[AnyResource], query: dict[str, str]) -> ResponseParameters[AnyResource]:
    """Return which attributes a caller wants to see.

    Raises:
        SCIMException: an attribute's path is malformed.
    """
    wanted = {name: query[name] for name in ("attributes", "excludedAttributes") if name in query}
    try:
        return ResponseParameters[model].model_validate(  # type: ignore[valid-type]
            wanted, scim_policy=POLICY
        )
    except ValidationError as error:
        raise refusal(error) from error


def filter_of(model: type[AnyResource], text: str) -> ScimFilter[AnyResource]:
    """Return a filter.

    Raises:
        SCIMException: it is malformed.
    """
    with POLICY:
        return ScimFilter[model](text)  # type: ignore[valid-type]


def refusal(error: ValidationError) -> SCIMException:
    """Return the first thing that is wrong as the library words it, without the value."""
    first = Error.from_validation_errors(error.errors(include_input=False, include_url=False))[0]
    return InvalidPayloadError.from_error(first)


def _validate(model: type[AnyResource], payload: Payload, context: Context) -> AnyResource:
    try:
        return model.model_validate(payload, scim_ctx=context, scim_policy=POLICY)
    except ValidationError as error:
        raise refusal(error) from error


def _with_defaults(payload: Payload, current: Payload) -> Payload:
    """Fill in what the schema requires and directories leave out."""
    given = {name.lower(): value for name, value in payload.items()}
    filled = dict(payload)
    if given.get("active") is None:
        filled = {name: value for name, value in filled.items() if name.lower() != "active"}
        filled["active"] = current.get("active", True)
    if not given.get("emails"):
        filled = {name: value for name, value in filled.items() if name.lower() != "emails"}
        user_name = given.get("username")
        if isinstance(user_name, str) and is_email(user_name):
            filled["emails"] = [{"value": user_name, "type": "work", "primary": True}]
        elif "emails" in current:
            filled["emails"] = current["emails"]
    return filled


def _usual(operation: object) -> object:
    """Return an operation with a manager as the RFC has one: Entra sends the bare id."""
    if not isinstance(operation, dict):
        return operation
    path, value = operation.get("path"), operation.get("value")
    if isinstance(path, str) and path.lower() == _MANAGER and isinstance(value, str):
        return {**operation, "value": {"value": value}}
    return operation


def _texts(value: object) -> Iterator[str]:
    """Yield every text of a JSON value, names included."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str(text):
                yield text
            case list(values):
                waiting += values
            case dict(fields):
                waiting += fields.keys()
                waiting += fields.values()


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
