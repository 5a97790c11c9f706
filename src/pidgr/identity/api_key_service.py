"""ApiKeyService: an organization's API keys and SCIM tokens (SEMANTICS 2.2)."""

import uuid
from typing import Final

from pidgr.audit import trail
from pidgr.clock import DAY, Clock, to_datetime, to_timestamp
from pidgr.contract.v1.api_key_pb import (
    ApiKey,
    CreateApiKeyRequest,
    CreateApiKeyResponse,
    KeyType,
    ListApiKeysRequest,
    ListApiKeysResponse,
    RevokeApiKeyRequest,
    RevokeApiKeyResponse,
)
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.errors import (
    FailedPreconditionError,
    NotFoundError,
    PermissionDeniedError,
    Violations,
)
from pidgr.identity import api_key_store, api_keys, permissions
from pidgr.identity.api_key_store import StoredApiKey
from pidgr.identity.caller import Caller
from pidgr.storage.transaction import Reader, Transaction
from pidgr.validation import NAME_LENGTH, check_enum, check_text, require_moment, require_uuid

SCIM_SANDBOX_LIFE: Final = 14 * DAY
"""How long a sandbox that people are provisioned into may live (SEMANTICS 2.9)."""

_PREFIXES: Final = {
    KeyType.API_KEY: api_keys.API_KEY_PREFIX,
    KeyType.SCIM_TOKEN: api_keys.SCIM_TOKEN_PREFIX,
}


class ApiKeyService:
    """Makes, lists and revokes keys."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def create_api_key(
        self, request: CreateApiKeyRequest, caller: Caller, transaction: Transaction
    ) -> CreateApiKeyResponse:
        """Make a key; its secret is in this answer and nowhere else.

        Raises:
            InvalidArgumentError: a bad name, no or unassignable permissions, an expiry in the past.
            PermissionDeniedError: a permission the caller does not hold, or an expiry after that of
                the key that calls.
            FailedPreconditionError: a SCIM token, in a sandbox that lives longer than 14 days.
        """
        self._validate(request)
        missing = frozenset(request.permissions) - caller.permissions
        if missing:
            names = permissions.to_names(missing).replace(" ", ", ")
            raise PermissionDeniedError(f"you cannot grant what you may not do yourself: {names}")
        key_type = request.key_type or KeyType.API_KEY
        if key_type == KeyType.SCIM_TOKEN:
            _require_short_life(transaction, caller.organization_key)
        key = api_keys.new_key(_PREFIXES[key_type])
        stored = StoredApiKey(
            id=str(uuid.uuid4()),
            name=request.name,
            key_type=key_type,
            key_prefix=key.shown_prefix,
            permissions=permissions.to_names(set(request.permissions)),
            created_at=self._clock.now(),
            last_used_at=None,
            expires_at=_granted_expiry(request, caller),
        )
        api_key_store.insert_api_key(transaction, caller.organization_key, stored, key.digest)
        trail.record_event(transaction, caller, api_keys.creation(stored), now=stored.created_at)
        return CreateApiKeyResponse(api_key=_message(stored), key=key.secret)

    def list_api_keys(
        self, request: ListApiKeysRequest, caller: Caller, reader: Reader
    ) -> ListApiKeysResponse:
        """Return the keys that are not revoked, expired ones included, newest first."""
        violations = Violations()
        check_enum(violations, "key_type", request.key_type)
        violations.raise_if_any()
        found = api_key_store.api_keys(reader, caller.organization_key, request.key_type)
        return ListApiKeysResponse(api_keys=[_message(stored) for stored in found])

    def revoke_api_key(
        self, request: RevokeApiKeyRequest, caller: Caller, transaction: Transaction
    ) -> RevokeApiKeyResponse:
        """Revoke a key, in every process from the next request on; repeats change nothing.

        Raises:
            NotFoundError: the organization has no such key.
        """
        key_id = require_uuid("api_key_id", request.api_key_id)
        organization_key = caller.organization_key
        stored = api_key_store.api_key(transaction, organization_key, key_id)
        if stored is None:
            raise NotFoundError("there is no such API key")
        now = self._clock.now()
        if api_key_store.revoke_api_key(transaction, organization_key, key_id, now):
            trail.record(
                transaction,
                caller,
                AuditEventType.API_KEY_REVOKED,
                "api_key",
                key_id,
                now=now,
                name=stored.name,
                key_type=KeyType(stored.key_type).name,
            )
        return RevokeApiKeyResponse()

    def _validate(self, request: CreateApiKeyRequest) -> None:
        violations = Violations()
        check_text(violations, "name", request.name, NAME_LENGTH, required=True)
        check_enum(violations, "key_type", request.key_type)
        if not request.permissions:
            violations.add("permissions", "must name at least one permission")
        for index, permission in enumerate(request.permissions):
            if permission not in permissions.ASSIGNABLE:
                violations.add(f"permissions[{index}]", "is not a permission a key can have")
        expires_at = _expiry(request)
        if expires_at is not None and expires_at <= self._clock.now():
            violations.add("expires_at", "must be in the future")
        violations.raise_if_any()


def _require_short_life(reader: Reader, organization_key: int) -> None:
    life = api_key_store.sandbox_life(reader, organization_key)
    if life is not None and life > SCIM_SANDBOX_LIFE:
        days = SCIM_SANDBOX_LIFE // DAY
        message = f"a sandbox that uses SCIM lives at most {days} days; make a shorter one"
        raise FailedPreconditionError(message)


def _expiry(request: CreateApiKeyRequest) -> int | None:
    if request.expires_at is None:
        return None
    return require_moment("expires_at", request.expires_at)


def _granted_expiry(request: CreateApiKeyRequest, caller: Caller) -> int | None:
    """Return when a new key expires: no later than the key that makes it, and with it if unsaid."""
    expires_at, latest = _expiry(request), caller.api_key_expires_at
    if latest is None or expires_at is None:
        return latest if expires_at is None else expires_at
    if expires_at > latest:
        until = to_datetime(latest).isoformat()
        raise PermissionDeniedError(f"you cannot make a key that outlives yours: it ends {until}")
    return expires_at


def _message(stored: StoredApiKey) -> ApiKey:
    return ApiKey(
        id=stored.id,
        name=stored.name,
        key_prefix=stored.key_prefix,
        permissions=sorted(permissions.from_names(stored.permissions)),
        created_at=to_timestamp(stored.created_at),
        last_used_at=to_timestamp(stored.last_used_at) if stored.last_used_at else None,
        expires_at=to_timestamp(stored.expires_at) if stored.expires_at else None,
        key_type=KeyType(stored.key_type),
    )
