"""What the command line does to an installation without its server."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from pidgr import system as systems
from pidgr.directory import organization_store
from pidgr.directory.founding import NewOrganization
from pidgr.directory.founding import create_organization as found
from pidgr.directory.member_import import ImportReport
from pidgr.directory.member_import import import_members as import_lines
from pidgr.engine.liveness import require_unoccupied
from pidgr.errors import NotFoundError, SetupError
from pidgr.identity import operator, permissions
from pidgr.settings import Settings
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction
from pidgr.system import System, build_system

_ADMIN_KEY_NAME: Final = "created by pidgr admin create-org"
# Short transactions: on SQLite requests wait for them.
_TOKENS_PER_TRANSACTION: Final = 200


@contextmanager
def system_of(settings: Settings) -> Iterator[System]:
    """Open the installation for the length of a command."""
    system = build_system(settings, run_handlers=False)
    try:
        yield system
    finally:
        system.close()


def migrate(settings: Settings) -> None:
    """Bring the schema to this version's; repeating it changes nothing.

    Raises:
        FailedPreconditionError: a newer version has been here.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.resolved_database_url())
    try:
        systems.migrate(database)
    finally:
        database.close()


def check_settings(settings: Settings) -> None:
    """Check that settings do not contradict each other.

    Raises:
        SetupError: they do.
        OSError: a file of TLS cannot be read.
    """
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise SetupError("TLS needs both --tls-cert and --tls-key")
    for file in (settings.tls_cert, settings.tls_key):
        if file is not None:
            file.open("rb").close()
    if settings.resolved_database_url().startswith("sqlite"):
        if settings.workers > 1:
            message = "several workers need PostgreSQL: give --database-url postgresql://..."
            raise SetupError(message)
        if not settings.embedded_engine:
            raise SetupError("PIDGR_EMBEDDED_ENGINE=false needs PostgreSQL and a `pidgr worker`")


def check_before_serving(settings: Settings) -> None:
    """Find what would keep a server from starting, while one sentence can still tell it.

    Raises:
        FailedPreconditionError: the database is not migrated, or another server runs on the file.
        MasterKeyError: the master key does not fit the database.
        SetupError: settings that contradict each other.
        UnavailableError: the database cannot be reached.
        OSError: a file of TLS cannot be read.
    """
    check_settings(settings)
    database = Database(settings.resolved_database_url())
    if database.dialect == "sqlite":
        # Before anything migrates the file under a server of another version.
        require_unoccupied(database)
    database.close()
    with system_of(settings):
        pass


def create_organization(settings: Settings, name: str, admin_email: str) -> dict[str, str]:
    """Create an organization with its first super admin and an API key of every permission.

    Raises:
        AlreadyExistsError: the name is taken.
        InvalidArgumentError: a bad name or address.
    """
    with system_of(settings) as system:
        return found_organization(system, name, admin_email)


def found_organization(system: System, name: str, admin_email: str) -> dict[str, str]:
    """Do the same in an installation that is open."""

    def work(transaction: Transaction) -> dict[str, str]:
        now = system.clock.now()
        founding = found(transaction, NewOrganization(name), admin_email=admin_email, now=now)
        key = operator.create_api_key(
            transaction, founding.organization_key, _ADMIN_KEY_NAME, permissions.ASSIGNABLE, now
        )
        return {
            "organization_id": founding.organization_id,
            "admin_user_id": founding.admin_id,
            "api_key": key,
        }

    return system.database.write_now(work)


def mint_tokens(system: System, user_ids: Sequence[str], lifetime: int) -> Iterator[str]:
    """Yield an access token for each member; the operator vouches for who they are.

    Args:
        system: an open installation.
        user_ids: the members.
        lifetime: microseconds.

    Raises:
        NotFoundError: no such member.
        FailedPreconditionError: the member is deactivated.
    """
    now = system.clock.now()
    for start in range(0, len(user_ids), _TOKENS_PER_TRANSACTION):

        def mint(transaction: Transaction, start: int = start) -> list[str]:
            return [
                operator.mint_token(transaction, system.signer, user_id, lifetime, now)
                for user_id in user_ids[start : start + _TOKENS_PER_TRANSACTION]
            ]

        yield from system.database.write_now(mint)


def mint_token(settings: Settings, user_id: str, lifetime: int) -> str:
    """Do the same for one member of a closed installation."""
    with system_of(settings) as system:
        return next(mint_tokens(system, [user_id], lifetime))


def rotate_keys(settings: Settings) -> int:
    """Let a new key sign access tokens; return from when on, in microseconds."""
    with system_of(settings) as system:
        return system.signer.rotate_keys()


def webhook_secret(settings: Settings, organization_id: str, *, rotate: bool) -> str:
    """Return what an organization's webhooks are signed with, replaced first if ``rotate``.

    Raises:
        NotFoundError: no such organization.
    """
    with system_of(settings) as system:
        key = system.database.read_now(
            lambda reader: organization_store.organization_key(reader, organization_id.lower())
        )
        if key is None:
            raise NotFoundError(f"no organization has the id {organization_id}")
        if rotate:
            return system.webhook_secrets.rotate(key)
        return system.webhook_secrets.secret(key)


def import_members(
    settings: Settings,
    lines: Iterable[str],
    organization_id: str,
    progress: Callable[[ImportReport], None] | None = None,
) -> ImportReport:
    """Invite everyone in a CSV file; see ``pidgr.directory.member_import``.

    Raises:
        NotFoundError: no such organization.
        InvalidArgumentError: the file has no usable header, or is not CSV from some line on.
    """
    with system_of(settings) as system:
        return import_into(system, lines, organization_id, progress)


def import_into(
    system: System,
    lines: Iterable[str],
    organization_id: str,
    progress: Callable[[ImportReport], None] | None = None,
) -> ImportReport:
    """Do the same in an installation that is open."""
    return import_lines(system.database, system.clock, organization_id, lines, progress)
