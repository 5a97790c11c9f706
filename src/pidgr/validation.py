"""Checks of request fields that every domain shares. Limits count characters."""

import re
from collections.abc import Sequence
from itertools import islice
from typing import Final, TypeVar

from protobuf import Enum
from protobuf.wkt import Timestamp

from pidgr.clock import SECOND
from pidgr.errors import Violations, invalid_field

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
# What an address without quotation marks cannot have (RFC 5321, 4.1.2): headers of mail mean
# something else by it. And what nobody sees: white space, controls, marks of direction.
_NOT_IN_EMAIL: Final = (
    r"@\s()<>\[\]:;,\\\"\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff"
)
# One "@", a dot in the domain, no encoded word (RFC 2047); the mail server judges the rest.
_EMAIL: Final = re.compile(
    rf"(?!.*=\?)[^{_NOT_IN_EMAIL}]+@[^.{_NOT_IN_EMAIL}]+(?:\.[^.{_NOT_IN_EMAIL}]+)+"
)

_FIRST_SECOND: Final = -62_135_596_800
_LAST_SECOND: Final = 253_402_300_799
_NANOSECONDS: Final = 1_000_000_000

_NAMED_ENTRIES: Final = 10

NAME_LENGTH: Final = 200
EMAIL_LENGTH: Final = 254
LOCALES: Final = ("en", "es", "pt-BR", "zh", "ja")
REGIONS: Final = ("EU", "LATAM", "BR", "APAC", "US")

AnyEnum = TypeVar("AnyEnum", bound=Enum)


def is_uuid(value: str) -> bool:
    """Tell whether a value is a UUID in the contract's form: 36 lowercase characters."""
    return _UUID.fullmatch(value) is not None


def require_uuid(path: str, value: str) -> str:
    """Return a UUID field's value in lower case.

    Raises:
        InvalidArgumentError: it is not a UUID.
    """
    lowered = value.lower()
    if not is_uuid(lowered):
        raise invalid_field(path, "must be a UUID")
    return lowered


def require_uuids(path: str, values: Sequence[str], most: int) -> None:
    """Demand a list of 1 to ``most`` UUIDs.

    Raises:
        InvalidArgumentError: it is empty, too long, or holds something else; naming up to ten.
    """
    if not 0 < len(values) <= most:
        raise invalid_field(path, f"must have 1 to {most} entries, has {len(values):,}")
    violations = Violations()
    bad = (index for index, value in enumerate(values) if not is_uuid(value.lower()))
    for index in islice(bad, _NAMED_ENTRIES):
        violations.add(f"{path}[{index}]", "must be a UUID")
    violations.raise_if_any()


def check_text(
    violations: Violations, path: str, value: str, longest: int, *, required: bool = False
) -> None:
    """Note a text that is too long, missing, or holds NUL (which PostgreSQL cannot store)."""
    if required and not value.strip():
        violations.add(path, "must not be empty")
    elif len(value) > longest:
        violations.add(path, f"must be at most {longest:,} characters, has {len(value):,}")
    elif "\0" in value:
        violations.add(path, "must not contain the NUL character")


def is_email(value: str) -> bool:
    """Tell whether a value can be an e-mail address."""
    return len(value) <= EMAIL_LENGTH and _EMAIL.fullmatch(value) is not None


def check_email(violations: Violations, path: str, value: str) -> None:
    """Note a value that cannot be an e-mail address."""
    if len(value) > EMAIL_LENGTH:
        violations.add(path, f"must be at most {EMAIL_LENGTH} characters, has {len(value):,}")
    elif not is_email(value):
        violations.add(path, "must be an e-mail address")


def check_enum(
    violations: Violations, path: str, value: AnyEnum, *, required: bool = False
) -> None:
    """Note a number that the contract does not name, or UNSPECIFIED where a choice is needed."""
    if value not in type(value).__members__.values():
        violations.add(path, f"unknown value {int(value)}")
    elif required and int(value) == 0:
        violations.add(path, "must be specified")


def check_choice(violations: Violations, path: str, value: str, choices: tuple[str, ...]) -> None:
    """Note a value outside a fixed list; empty means "not given"."""
    if value and value not in choices:
        violations.add(path, f"must be one of {', '.join(choices)}")


def require_moment(path: str, value: Timestamp) -> int:
    """Return a timestamp field in microseconds.

    Raises:
        InvalidArgumentError: outside the years 1 to 9999, which protobuf's Timestamp is limited to.
    """
    if not _FIRST_SECOND <= value.seconds <= _LAST_SECOND or not 0 <= value.nanos < _NANOSECONDS:
        raise invalid_field(path, "must be a time between the years 1 and 9999")
    return value.seconds * SECOND + value.nanos // 1_000


def fold(value: str) -> str:
    """Return the form in which names are compared."""
    return value.strip().casefold()


def fold_address(value: str) -> str:
    """Return the form in which e-mail addresses are compared.

    Letter case aside and no further: folded like names, "ada@weiß.example" would be somebody at
    "weiss.example", which is another domain (RFC 5894, section 7.2), and could sign in as them.
    """
    return value.strip().lower()
