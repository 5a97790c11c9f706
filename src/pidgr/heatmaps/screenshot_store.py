"""SQL of pictures of screens."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class Screenshot:
    """A picture of a screen in one version of the app, and the name of its blob."""

    screen_name: str
    app_version: str
    blob_name: str


_COLUMNS: Final = "select screen_name, app_version, blob_name from screenshot"
_LIST: Final = Statement(f"""
    {_COLUMNS} where organization_key = :organization_key order by screen_name, app_version
""")
_ONE: Final = Statement(f"""
    {_COLUMNS}
    where organization_key = :organization_key and screen_name = :screen_name
      and app_version = :app_version
""")
_NEWEST: Final = Statement(f"""
    {_COLUMNS}
    where organization_key = :organization_key and screen_name = :screen_name
    order by created_at desc, app_version desc limit 1
""")
_COUNT: Final = Statement(
    "select count(*) from screenshot where organization_key = :organization_key"
)
_PUT: Final = Statement("""
    insert into screenshot (organization_key, screen_name, app_version, blob_name, created_at)
    values (:organization_key, :screen_name, :app_version, :blob_name, :now)
    on conflict (organization_key, screen_name, app_version)
    do update set blob_name = excluded.blob_name, created_at = excluded.created_at
""")
_USED: Final = Statement("select 1 from screenshot where blob_name = :blob_name")


def screenshots(reader: Reader, organization_key: int) -> list[Screenshot]:
    """Return every picture of an organization, by screen and version."""
    return reader.records(Screenshot, _LIST, {"organization_key": organization_key})


def screenshot(
    reader: Reader, organization_key: int, screen_name: str, app_version: str
) -> Screenshot | None:
    """Return the picture of a screen in one version."""
    parameters = {
        "organization_key": organization_key,
        "screen_name": screen_name,
        "app_version": app_version,
    }
    return reader.record(Screenshot, _ONE, parameters)


def newest(reader: Reader, organization_key: int, screen_name: str) -> Screenshot | None:
    """Return the latest picture of a screen, of whatever version."""
    parameters = {"organization_key": organization_key, "screen_name": screen_name}
    return reader.record(Screenshot, _NEWEST, parameters)


def count(reader: Reader, organization_key: int) -> int:
    """Return how many pictures an organization has."""
    found: int = reader.value(_COUNT, {"organization_key": organization_key})
    return found


def put(transaction: Transaction, organization_key: int, picture: Screenshot, now: int) -> None:
    """Store a picture instead of the one of the same screen and version."""
    transaction.execute(
        _PUT,
        {
            "organization_key": organization_key,
            "screen_name": picture.screen_name,
            "app_version": picture.app_version,
            "blob_name": picture.blob_name,
            "now": now,
        },
    )


def is_used(reader: Reader, blob_name: str) -> bool:
    """Tell whether a blob is some screen's picture."""
    return reader.value(_USED, {"blob_name": blob_name}) is not None
