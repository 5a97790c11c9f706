"""Rows of a members' CSV file: which column means what, and whether a row can be a member.

A header comes first, letter case aside, in any order: ``email``, ``name``, the fields of a profile
(``first_name``, ``last_name``, ``department``, ``title``, ``phone``, ``location``, ``employee_id``,
``manager_name``, ``start_date``), ``preferred_locale`` and ``role`` (a slug; employee when empty).
Every other column is a custom attribute of its name.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pidgr.contract.v1.user_pb import UserProfile, UserStatus
from pidgr.directory.member_store import NewMember
from pidgr.directory.profile import PROFILE_FIELDS, check_profile
from pidgr.errors import InvalidArgumentError, Violations
from pidgr.identity.permissions import EMPLOYEE
from pidgr.validation import (
    EMAIL_LENGTH,
    LOCALES,
    NAME_LENGTH,
    check_choice,
    check_email,
    check_text,
)

if TYPE_CHECKING:
    import _csv

_EMAIL: Final = "email"
_OWN_COLUMNS: Final = (_EMAIL, "name", "preferred_locale", "role")
_KNOWN: Final = frozenset((*_OWN_COLUMNS, *PROFILE_FIELDS))
_BYTE_ORDER_MARK: Final = "\ufeff"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """Why a row was not imported."""

    line: int
    email: str
    reason: str


@dataclass(frozen=True, slots=True)
class GoodRow:
    """A row that can be a member, if its address is free."""

    line: int
    member: NewMember


def read_rows(lines: Iterable[str], role_keys: Mapping[str, int]) -> Iterator[GoodRow | RowProblem]:
    """Read a file row by row, holding one row at a time.

    Args:
        lines: the text of the file, as an open file gives it; a byte order mark may come first.
        role_keys: keys of the organization's roles by slug.

    Raises:
        InvalidArgumentError: no usable header, or what follows is not CSV or not text.
    """
    reader = csv.reader(lines, strict=True)
    rows = _numbered(reader)
    _, header = next(rows, (1, []))
    columns = _Columns(header)
    for line, cells in rows:
        if cells:
            yield _row(line, columns.values(cells), role_keys)


def _numbered(reader: "_csv.Reader") -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of the line it begins on."""
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise InvalidArgumentError(f"line {line} is not valid CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise InvalidArgumentError(f"near line {line}: the file is not UTF-8 text") from error
        yield line, cells


class _Columns:
    """What the header says of the cells under it."""

    def __init__(self, header: Sequence[str]) -> None:
        if header:
            header = [header[0].removeprefix(_BYTE_ORDER_MARK), *header[1:]]
        self._names = [_column(cell) for cell in header]
        named = [name for name in self._names if name]
        if _EMAIL not in named:
            message = (
                "the first line must name the columns, separated by commas, 'email' among them"
            )
            raise InvalidArgumentError(message)
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise InvalidArgumentError(f"the first line names {', '.join(twice)} more than once")

    def values(self, cells: Sequence[str]) -> dict[str, str]:
        """Return the cells that are not empty by column name; "" collects those without a name."""
        values: dict[str, str] = {}
        for place, cell in enumerate(cells):
            value = cell.strip()
            if value:
                values[self._names[place] if place < len(self._names) else ""] = value
        return values


def _column(cell: str) -> str:
    name = cell.strip()
    return name.lower() if name.lower() in _KNOWN else name


def _row(line: int, values: dict[str, str], role_keys: Mapping[str, int]) -> GoodRow | RowProblem:
    violations = Violations()
    if "" in values:
        violations.add("row", "has a value in a column that the first line does not name")
    email = values.get(_EMAIL, "")
    name = values.get("name") or " ".join(
        values[part] for part in ("first_name", "last_name") if part in values
    )
    locale = values.get("preferred_locale", "")
    slug = values.get("role", EMPLOYEE)
    profile = UserProfile(
        **{field: values[field] for field in PROFILE_FIELDS if field in values},
        custom_attributes={key: values[key] for key in values if key and key not in _KNOWN},
    )
    check_email(violations, _EMAIL, email)
    check_text(violations, "name", name, NAME_LENGTH)
    check_choice(violations, "preferred_locale", locale, LOCALES)
    check_profile(violations, "profile", profile)
    if slug not in role_keys:
        violations.add("role", f"must be one of {', '.join(role_keys)}")
    if violations.found:
        reason = "; ".join(
            f"{found.field.removeprefix('profile.')}: {found.description}"
            for found in violations.found
        )
        return RowProblem(line, email[:EMAIL_LENGTH], reason)
    member = NewMember(
        email=email,
        name=name,
        status=UserStatus.INVITED,
        role_key=role_keys[slug],
        profile=profile,
        preferred_locale=locale,
    )
    return GoodRow(line, member)
