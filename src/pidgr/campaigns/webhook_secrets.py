"""The secret an organization's webhooks are signed with: made at first use, sealed at rest."""

import secrets
from typing import Final

from pidgr.campaigns import webhook_store
from pidgr.clock import Clock
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

# A prefix of its own, so that secret scanners and people can tell what they have found.
_PREFIX: Final = "pidgr_wh_"
_RANDOM_BYTES: Final = 32
_PURPOSE: Final = "webhook-secret"


class WebhookSecrets:
    """Reads and makes secrets."""

    def __init__(self, database: Database, master_key: MasterKey, clock: Clock) -> None:
        self._database = database
        self._master_key = master_key
        self._clock = clock

    def secret(self, organization_key: int) -> str:
        """Return the organization's secret."""
        sealed = self._database.read_now(
            lambda reader: webhook_store.sealed_secret(reader, organization_key)
        )
        if sealed is None:
            return self._make(organization_key, replace=False)
        return self._master_key.unseal(_PURPOSE, sealed).decode()

    def rotate(self, organization_key: int) -> str:
        """Replace the secret at once and return the new one; the old one signs nothing more."""
        return self._make(organization_key, replace=True)

    def _make(self, organization_key: int, *, replace: bool) -> str:
        secret = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
        sealed = self._master_key.seal(_PURPOSE, secret.encode())

        def store(transaction: Transaction) -> bytes:
            now = self._clock.now()
            webhook_store.keep_secret(transaction, organization_key, sealed, now, replace=replace)
            # Somebody else's, if they were first.
            kept = webhook_store.sealed_secret(transaction, organization_key)
            assert kept is not None  # noqa: S101 - just stored
            return kept

        return self._master_key.unseal(_PURPOSE, self._database.write_now(store)).decode()
