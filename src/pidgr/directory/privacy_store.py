"""SQL of what an organization decides about the processing of behaviour."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class StoredToggle:
    """A switch that was turned at least once; the address is empty when an API key did."""

    kind: str
    enabled: bool
    changed_by_email: str
    changed_at: int


_TOGGLES: Final = Statement("""
    select kind, enabled, changed_by_email, changed_at from privacy_toggle
    where organization_key = :organization_key
""")
_TURN: Final = Statement("""
    insert into privacy_toggle (organization_key, kind, enabled, changed_by_email, changed_at)
    values (:organization_key, :kind, :enabled, :email, :now)
    on conflict (organization_key, kind) do update set
      enabled = excluded.enabled, changed_by_email = excluded.changed_by_email,
      changed_at = excluded.changed_at
""")
_BUCKET_COUNT: Final = Statement(
    "select analytics_bucket_count from organization where key = :organization_key"
)
_SET_SALT: Final = Statement("""
    update organization set analytics_salt = :salt, analytics_bucket_count = :bucket_count
    where key = :organization_key
""")
_EPSILON: Final = Statement(
    "select analytics_epsilon from organization where key = :organization_key"
)
_SET_EPSILON: Final = Statement("""
    update organization set analytics_epsilon = :epsilon where key = :organization_key
""")


def toggles(reader: Reader, organization_key: int) -> dict[str, StoredToggle]:
    """Return the switches that were ever turned, by kind; the others are on."""
    found = reader.records(StoredToggle, _TOGGLES, {"organization_key": organization_key})
    return {toggle.kind: toggle for toggle in found}


def turn(
    transaction: Transaction,
    organization_key: int,
    kind: str,
    *,
    enabled: bool,
    email: str,
    now: int,
) -> None:
    """Turn a switch, and remember who did and when."""
    transaction.execute(
        _TURN,
        {
            "organization_key": organization_key,
            "kind": kind,
            "enabled": enabled,
            "email": email,
            "now": now,
        },
    )


def bucket_count(reader: Reader, organization_key: int) -> int:
    """Return into how many cohort buckets people are put."""
    count: int = reader.value(_BUCKET_COUNT, {"organization_key": organization_key})
    return count


def set_salt(
    transaction: Transaction, organization_key: int, salt: bytes, bucket_count: int
) -> None:
    """Replace what puts people into cohort buckets."""
    transaction.execute(
        _SET_SALT,
        {"organization_key": organization_key, "salt": salt, "bucket_count": bucket_count},
    )


def epsilon(reader: Reader, organization_key: int) -> float:
    """Return how much noise behavioural features get."""
    stored: float = reader.value(_EPSILON, {"organization_key": organization_key})
    return stored


def set_epsilon(transaction: Transaction, organization_key: int, epsilon: float) -> None:
    """Set how much noise behavioural features get."""
    parameters = {"organization_key": organization_key, "epsilon": epsilon}
    transaction.execute(_SET_EPSILON, parameters)
