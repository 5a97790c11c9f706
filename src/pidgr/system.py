"""The composition root: builds the parts of one process and hands them to each other."""

from dataclasses import dataclass
from typing import Final

from pidgr import secrets
from pidgr.clock import Clock
from pidgr.identity import store as identity_store
from pidgr.identity.tokens import TokenSigner
from pidgr.pagination import PageTokens
from pidgr.secrets import MasterKey, MasterKeyError
from pidgr.settings import Settings
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

_KEY_CHECK: Final = "master-key-check"


@dataclass(frozen=True, slots=True)
class System:
    """The long-lived parts of a process, without a server or a running engine."""

    settings: Settings
    clock: Clock
    database: Database
    master_key: MasterKey
    signer: TokenSigner
    page_tokens: PageTokens

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def issuer_of(settings: Settings) -> str:
    """Return the `iss` of our tokens: as configured, else the address the server listens on."""
    scheme = "https" if settings.tls_cert else "http"
    return settings.issuer or f"{scheme}://{settings.host}:{settings.port}"


def build_system(settings: Settings, clock: Clock | None = None) -> System:
    """Connect the parts. The schema must be migrated.

    Raises:
        MasterKeyError: the master key is not the one this database was set up with.
    """
    clock = clock or Clock()
    database = Database(settings.resolved_database_url())
    master_key = secrets.load_master_key(settings)
    database.write_now(lambda transaction: _check_master_key(transaction, master_key))
    signer = TokenSigner(database, master_key, clock, issuer_of(settings), settings.audience)
    signer.ensure_key()
    return System(settings, clock, database, master_key, signer, PageTokens(master_key))


def _check_master_key(transaction: Transaction, master_key: MasterKey) -> None:
    """Remember the key's fingerprint at the first start, compare it ever after."""
    fingerprint = master_key.derive(_KEY_CHECK)
    identity_store.insert_system_value(transaction, _KEY_CHECK, fingerprint)
    if identity_store.system_value(transaction, _KEY_CHECK) != fingerprint:
        message = (
            "the master key is not the one this database was set up with: set PIDGR_MASTER_KEY, or "
            "point PIDGR_DATA_DIR at the directory that holds its master.key"
        )
        raise MasterKeyError(message)
