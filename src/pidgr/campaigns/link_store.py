"""SQL of links to campaigns: short codes, and the versions of the keys that sign links."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction, UniqueViolationError


@dataclass(frozen=True, slots=True)
class Signpost:
    """Where a short code leads; ``variables`` are those of the template, JSON."""

    campaign_id: str
    organization_id: str
    organization_name: str
    campaign_title: str
    template_title: str
    variables: str


@dataclass(frozen=True, slots=True)
class LinkKey:
    """Which of an organization's keys signs, and since when."""

    version: int
    rotated_at: int


FIRST_KEY: Final = LinkKey(version=1, rotated_at=0)

_CODE: Final = Statement("select code from short_code where campaign_key = :campaign_key")
_INSERT_CODE: Final = Statement("""
    insert into short_code (code, campaign_key) values (:code, :campaign_key)
    on conflict (campaign_key) do nothing
""")
_SIGNPOST: Final = Statement("""
    select c.id, o.id, o.name, c.title, v.title, v.variables
    from short_code s
    join campaign c on c.key = s.campaign_key
    join organization o on o.key = c.organization_key
    join template_version v on v.template_key = c.template_key and v.version = c.template_version
    where s.code = :code and not o.suspended and (o.expires_at is null or o.expires_at > :now)
""")
_LINK_KEY: Final = Statement("""
    select version, rotated_at from link_key where organization_key = :organization_key
""")
_ROTATE: Final = Statement("""
    insert into link_key (organization_key, version, rotated_at)
    values (:organization_key, :second, :now)
    on conflict (organization_key)
    do update set version = link_key.version + 1, rotated_at = excluded.rotated_at
    returning version
""")
_ORGANIZATION_OF: Final = Statement("""
    select o.key, o.id from campaign c join organization o on o.key = c.organization_key
    where c.id = :campaign_id and not o.suspended and (o.expires_at is null or o.expires_at > :now)
""")
_IS_MEMBER: Final = Statement("""
    select 1 from member where organization_key = :organization_key and id = :member_id
""")


def short_code(reader: Reader, campaign_key: int) -> str | None:
    """Return the campaign's code, if it has one."""
    code: str | None = reader.value(_CODE, {"campaign_key": campaign_key})
    return code


def insert_short_code(transaction: Transaction, campaign_key: int, code: str) -> bool:
    """Give a campaign a code unless it has one; False if the code is another campaign's."""
    try:
        with transaction.savepoint():
            transaction.execute(_INSERT_CODE, {"campaign_key": campaign_key, "code": code})
    except UniqueViolationError:
        return False
    return True


def signpost(reader: Reader, code: str, now: int) -> Signpost | None:
    """Return where a code leads, unless its organization is suspended or has expired."""
    return reader.record(Signpost, _SIGNPOST, {"code": code, "now": now})


def link_key(reader: Reader, organization_key: int) -> LinkKey:
    """Return which key signs an organization's links."""
    found = reader.record(LinkKey, _LINK_KEY, {"organization_key": organization_key})
    return found or FIRST_KEY


def rotate_link_key(transaction: Transaction, organization_key: int, now: int) -> int:
    """Sign with the next key from now on, and return its number."""
    parameters = {
        "organization_key": organization_key,
        "second": FIRST_KEY.version + 1,
        "now": now,
    }
    version: int = transaction.value(_ROTATE, parameters)
    return version


def organization_of(reader: Reader, campaign_id: str, now: int) -> tuple[int, str] | None:
    """Return key and id of a campaign's organization, unless suspended or expired."""
    row = reader.row(_ORGANIZATION_OF, {"campaign_id": campaign_id, "now": now})
    return None if row is None else (row[0], row[1])


def is_member(reader: Reader, organization_key: int, member_id: str) -> bool:
    """Tell whether a person is a member of the organization, in whatever state."""
    parameters = {"organization_key": organization_key, "member_id": member_id}
    return reader.row(_IS_MEMBER, parameters) is not None
