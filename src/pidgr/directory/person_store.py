"""SQL of what is known of a member as a person, and of what they want for themself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pidgr.directory.profile import PROFILE_FIELDS
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import fold, fold_address


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """A member's own settings; 0 and "" where they never chose."""

    theme_preference: int
    preferred_locale: str


_UPDATE_PROFILE: Final = Statement(f"""
    update member
    set {", ".join(f"{field} = :{field}" for field in PROFILE_FIELDS)},
        manager_id = :manager_id, custom_attributes = :custom_attributes
    where organization_key = :organization_key and key = :member_key
""")
# Memberships hold a copy of the name that lists are ordered by.
_RENAME: Final = (
    Statement("""
        update member
        set email = :email, email_folded = :email_folded, name = :name, sort_name = :sort_name
        where organization_key = :organization_key and key = :member_key
    """),
    Statement("""
        update recipient_group_member set sort_name = :sort_name where member_key = :member_key
    """),
    Statement("update team_member set sort_name = :sort_name where member_key = :member_key"),
)
# "union" and not "union all": it ends even where the stored links already go round.
_REPORTS_TO: Final = Statement("""
    with recursive above(id, manager_id) as (
      select id, manager_id from member
      where organization_key = :organization_key and id = :manager_id
      union
      select m.id, m.manager_id from member m join above on m.id = above.manager_id
      where m.organization_key = :organization_key
    )
    select 1 from above where id = :member_id
""")
_SET_REGION: Final = Statement("""
    update member set data_governance_region = :region
    where organization_key = :organization_key and key = :member_key
""")
_SETTINGS: Final = Statement("""
    select theme_preference, preferred_locale from member
    where organization_key = :organization_key and key = :member_key
""")
_UPDATE_SETTINGS: Final = Statement("""
    update member
    set theme_preference = case when :theme = 0 then theme_preference else :theme end,
        preferred_locale = case when :locale = '' then preferred_locale else :locale end
    where organization_key = :organization_key and key = :member_key
""")
_NOTE_PASSKEY: Final = Statement("""
    update member set passkey_enrolled_at = :now
    where organization_key = :organization_key and id = :member_id
      and (passkey_enrolled_at is null or passkey_enrolled_at < :newest)
""")


def update_profile(
    transaction: Transaction, organization_key: int, member_key: int, values: Mapping[str, str]
) -> None:
    """Replace a member's whole profile: the profile's fields, manager_id and custom_attributes."""
    parameters = {**values, "organization_key": organization_key, "member_key": member_key}
    transaction.execute(_UPDATE_PROFILE, parameters)


def rename(
    transaction: Transaction, organization_key: int, member_key: int, email: str, name: str
) -> None:
    """Give a member another address and another name.

    Raises:
        UniqueViolationError: the address is another member's.
    """
    email_folded = fold_address(email)
    parameters = {
        "organization_key": organization_key,
        "member_key": member_key,
        "email": email,
        "email_folded": email_folded,
        "name": name,
        "sort_name": fold(name) or email_folded,
    }
    for statement in _RENAME:
        transaction.execute(statement, parameters)


def reports_to(reader: Reader, organization_key: int, manager_id: str, member_id: str) -> bool:
    """Tell whether a manager is the member, or reports to them over whatever levels."""
    parameters = {
        "organization_key": organization_key,
        "manager_id": manager_id,
        "member_id": member_id,
    }
    return reader.value(_REPORTS_TO, parameters) is not None


def set_region(
    transaction: Transaction, organization_key: int, member_key: int, region: str
) -> None:
    """Set the region whose rules a member's data is under."""
    transaction.execute(
        _SET_REGION,
        {"organization_key": organization_key, "member_key": member_key, "region": region},
    )


def settings(reader: Reader, organization_key: int, member_key: int) -> StoredSettings:
    """Return a caller's own settings.

    Raises:
        LookupError: there is no such member; a defect of the caller of this function.
    """
    parameters = {"organization_key": organization_key, "member_key": member_key}
    found = reader.record(StoredSettings, _SETTINGS, parameters)
    if found is None:
        raise LookupError(member_key)
    return found


def update_settings(
    transaction: Transaction, organization_key: int, member_key: int, theme: int, locale: str
) -> None:
    """Change a member's settings; 0 and "" stay as they are."""
    transaction.execute(
        _UPDATE_SETTINGS,
        {
            "organization_key": organization_key,
            "member_key": member_key,
            "theme": theme,
            "locale": locale,
        },
    )


def note_passkey(
    transaction: Transaction, organization_key: int, member_id: str, newest: int, now: int
) -> bool:
    """Note that a member has told of their newest passkey; False when that is noted already."""
    parameters = {
        "organization_key": organization_key,
        "member_id": member_id,
        "newest": newest,
        "now": now,
    }
    return transaction.execute(_NOTE_PASSKEY, parameters) == 1
