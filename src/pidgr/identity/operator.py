"""What an operator may do at the command line: mint keys and tokens without signing in."""

import secrets
import uuid
from collections.abc import Iterable

from pidgr.audit import trail
from pidgr.contract.v1.api_key_pb import KeyType
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.errors import FailedPreconditionError, NotFoundError
from pidgr.identity import api_key_store, api_keys, permissions, store
from pidgr.identity.api_key_store import StoredApiKey
from pidgr.identity.tokens import TokenSigner
from pidgr.storage.transaction import Transaction


def create_api_key(
    transaction: Transaction,
    organization_key: int,
    name: str,
    granted: Iterable[Permission],
    now: int,
) -> str:
    """Store a new API key and return its secret, which is not kept."""
    key = api_keys.new_key(api_keys.API_KEY_PREFIX)
    stored = StoredApiKey(
        id=str(uuid.uuid4()),
        name=name,
        key_type=KeyType.API_KEY,
        key_prefix=key.shown_prefix,
        permissions=permissions.to_names(granted),
        created_at=now,
        last_used_at=None,
        expires_at=None,
    )
    api_key_store.insert_api_key(transaction, organization_key, stored, key.digest)
    by = trail.operator(organization_key)
    trail.record_event(transaction, by, api_keys.creation(stored), now=now)
    return key.secret


def mint_token(
    transaction: Transaction, signer: TokenSigner, member_id: str, lifetime: int, now: int
) -> str:
    """Return an access token for a member. The operator vouches: an invited member is now active.

    Raises:
        NotFoundError: no such member.
        FailedPreconditionError: the member is deactivated.
    """
    found = store.member_for_token(transaction, member_id)
    if found is None:
        raise NotFoundError(f"no member has the id {member_id}")
    email, email_folded, organization_id = found
    subject = store.ensure_identity(transaction, email_folded, secrets.token_hex(16), now)
    if not store.activate_member(
        transaction,
        member_id,
        subject,
        active=UserStatus.ACTIVE,
        deactivated=UserStatus.DEACTIVATED,
    ):
        raise FailedPreconditionError("the member is deactivated; reactivate them first")
    return signer.sign(
        subject=subject,
        email=email,
        organization_id=organization_id,
        lifetime=lifetime,
        authenticated_at=now,
    )
