"""What an organization decides about the analysis of behaviour (SEMANTICS 2.9 and section 8)."""

import secrets
from collections.abc import Mapping
from typing import Final

from pidgr.clock import to_timestamp
from pidgr.contract.v1.organization_pb import OrgPrivacySettings, OrgPrivacyToggle
from pidgr.directory import organization_store, privacy_store
from pidgr.directory.privacy_store import StoredToggle
from pidgr.errors import invalid_field
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader, Transaction

AI_CLUSTERING: Final = "ai_clustering"
BEHAVIORAL_ANALYTICS: Final = "behavioral_analytics"
THIRD_PARTY_CHANNELS: Final = "third_party_channels"
KINDS: Final = (AI_CLUSTERING, BEHAVIORAL_ANALYTICS, THIRD_PARTY_CHANNELS)
"""The kinds of processing that can be switched off, by their names in the contract."""

_SALT_BYTES: Final = 32
# With more, a bucket is a person; and what is kept of a touch has room for 4,096.
_MOST_BUCKETS: Final = 1_000
_LOWEST_EPSILON: Final = 0.5
_HIGHEST_EPSILON: Final = 5.0


def new_salt() -> bytes:
    """Return a secret that puts people into cohort buckets."""
    return secrets.token_bytes(_SALT_BYTES)


def rotate_salt(transaction: Transaction, organization_key: int, bucket_count: int) -> int:
    """Replace the salt and return the number of buckets; 0 keeps it.

    Raises:
        InvalidArgumentError: fewer buckets than now, or so many that hardly anybody shares one.
    """
    organization_store.lock_organization(transaction, organization_key)
    present = privacy_store.bucket_count(transaction, organization_key)
    count = bucket_count or present
    if count < present:
        raise invalid_field("new_bucket_count", f"must be at least {present}, the present number")
    if count > _MOST_BUCKETS:
        raise invalid_field("new_bucket_count", f"must be at most {_MOST_BUCKETS:,}")
    privacy_store.set_salt(transaction, organization_key, new_salt(), count)
    return count


def change_epsilon(transaction: Transaction, organization_key: int, epsilon: float) -> bool:
    """Set how much noise behavioural features get, and tell whether that differs.

    Raises:
        InvalidArgumentError: it is not from 0.5 to 5.0.
    """
    if not _LOWEST_EPSILON <= epsilon <= _HIGHEST_EPSILON:
        raise invalid_field("epsilon", f"must be {_LOWEST_EPSILON} to {_HIGHEST_EPSILON}")
    organization_store.lock_organization(transaction, organization_key)
    if epsilon == privacy_store.epsilon(transaction, organization_key):
        return False
    privacy_store.set_epsilon(transaction, organization_key, epsilon)
    return True


def turn_toggles(
    transaction: Transaction, caller: Caller, wanted: Mapping[str, bool], now: int
) -> dict[str, bool]:
    """Turn switches by kind and return those that have moved; others stay untouched."""
    organization_key = caller.organization_key
    organization_store.lock_organization(transaction, organization_key)
    stored = privacy_store.toggles(transaction, organization_key)
    turned = {
        kind: enabled for kind, enabled in wanted.items() if enabled != _is_on(stored.get(kind))
    }
    for kind, enabled in turned.items():
        privacy_store.turn(
            transaction,
            organization_key,
            kind,
            enabled=enabled,
            email=caller.person.email if caller.person else "",
            now=now,
        )
    return turned


def is_allowed(reader: Reader, organization_key: int, kind: str) -> bool:
    """Tell whether an organization lets a kind of processing happen."""
    return _is_on(privacy_store.toggles(reader, organization_key).get(kind))


def settings_message(reader: Reader, organization_key: int) -> OrgPrivacySettings:
    """Return all three switches."""
    stored = privacy_store.toggles(reader, organization_key)
    return OrgPrivacySettings(**{kind: _message(stored.get(kind)) for kind in KINDS})


def _is_on(stored: StoredToggle | None) -> bool:
    return stored is None or bool(stored.enabled)


def _message(stored: StoredToggle | None) -> OrgPrivacyToggle:
    if stored is None:
        return OrgPrivacyToggle(enabled=True)
    return OrgPrivacyToggle(
        enabled=bool(stored.enabled),
        last_changed_by_email=stored.changed_by_email,
        last_changed_at=to_timestamp(stored.changed_at),
    )
