"""What the command line does to an installation without its server."""

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from pidgr import system as systems
from pidgr.audit import trail
from pidgr.campaigns import link_store, quiet_store
from pidgr.campaigns.quiet_hours import QuietHours, parse
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.directory import organization_store
from pidgr.directory.founding import NewOrganization
from pidgr.directory.founding import create_organization as found
from pidgr.directory.member_import import ImportReport
from pidgr.directory.member_import import import_members as import_lines
from pidgr.engine.liveness import require_unoccupied
from pidgr.errors import FailedPreconditionError, NotFoundError, SetupError
from pidgr.identity import operator, permissions
from pidgr.identity.oauth import client_store, clients, grants
from pidgr.identity.oauth.clients import Client
from pidgr.identity.sso import ownership, provider_store
from pidgr.identity.sso.ownership import Claim
from pidgr.outreach.push_setup import build_pusher
from pidgr.outreach.web_push import PushServices
from pidgr.settings import Settings
from pidgr.storage.blobs import build_blobs
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Transaction
from pidgr.system import System, build_system

INTERNAL_TOKEN_LENGTH: Final = 32
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
    token = settings.internal_token.get_secret_value()
    if settings.internal_port is not None and len(token) < INTERNAL_TOKEN_LENGTH:
        least = INTERNAL_TOKEN_LENGTH
        raise SetupError(f"PIDGR_INTERNAL_PORT needs a PIDGR_INTERNAL_TOKEN of {least} characters")
    if settings.internal_port and settings.internal_port == settings.port:
        raise SetupError("PIDGR_INTERNAL_PORT must be another port than PIDGR_PORT")
    if settings.issuer in {trusted.issuer for trusted in settings.trusted_issuers}:
        # Our own tokens would be held against the other issuer's keys, and none would count.
        raise SetupError("PIDGR_TRUSTED_ISSUERS names PIDGR_ISSUER, whose tokens count anyway")
    build_pusher(settings, Clock()).close()
    PushServices(settings.web_push_services)
    build_blobs(settings)
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
        trail.record(
            transaction,
            trail.operator(founding.organization_key),
            AuditEventType.ORG_CREATED,
            "organization",
            founding.organization_id,
            now=now,
        )
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


def rotate_link_key(settings: Settings, organization_id: str) -> int:
    """Sign an organization's links with its next key and return that key's number.

    Raises:
        NotFoundError: no such organization.
    """
    with system_of(settings) as system:

        def work(transaction: Transaction) -> int:
            key = _organization_key(transaction, organization_id)
            return link_store.rotate_link_key(transaction, key, system.clock.now())

        return system.database.write_now(work)


def webhook_secret(settings: Settings, organization_id: str, *, rotate: bool) -> str:
    """Return what an organization's webhooks are signed with, replaced first if ``rotate``.

    Raises:
        NotFoundError: no such organization.
    """
    with system_of(settings) as system:
        key = system.database.read_now(lambda reader: _organization_key(reader, organization_id))
        if rotate:
            return system.webhook_secrets.rotate(key)
        return system.webhook_secrets.secret(key)


def _organization_key(reader: Reader, organization_id: str) -> int:
    key = organization_store.organization_key(reader, organization_id.lower())
    if key is None:
        raise NotFoundError(f"no organization has the id {organization_id}")
    return key


def sso_domain(settings: Settings, organization_id: str, *, verified: bool | None) -> Claim:
    """Return an organization's claim to its domain, accepted or withdrawn first unless None.

    Raises:
        NotFoundError: no such organization, or one without an identity provider.
        AlreadyExistsError: the domain is another organization's.
    """

    def work(transaction: Transaction) -> Claim:
        key = _organization_key(transaction, organization_id)
        provider = provider_store.of_organization(transaction, key)
        if provider is None:
            raise NotFoundError("the organization has no identity provider")
        if verified is None or verified == (provider.verified_at is not None):
            return ownership.claim_of(provider)
        change = ownership.accept if verified else ownership.withdraw
        return change(transaction, provider, trail.operator(key), system.clock.now())

    with system_of(settings) as system:
        return system.database.write_now(work)


def quiet_hours(settings: Settings, organization_id: str) -> QuietHours | None:
    """Return an organization's quiet hours, if it has any.

    Raises:
        NotFoundError: no such organization.
    """
    with system_of(settings) as system:
        return system.database.read_now(
            lambda reader: quiet_store.quiet_hours(
                reader, _organization_key(reader, organization_id)
            )
        )


def set_quiet_hours(
    settings: Settings, organization_id: str, begin: str, end: str, zone: str
) -> None:
    """Give an organization quiet hours: times of the day as 22:00, and the zone of last resort.

    Raises:
        InvalidArgumentError: naming everything that is wrong.
        NotFoundError: no such organization.
    """
    _change_quiet_hours(settings, organization_id, parse(begin, end, zone))


def clear_quiet_hours(settings: Settings, organization_id: str) -> None:
    """Let an organization's people be pushed at any time; what is held back stays so.

    Raises:
        NotFoundError: no such organization.
    """
    _change_quiet_hours(settings, organization_id, None)


def _change_quiet_hours(settings: Settings, organization_id: str, hours: QuietHours | None) -> None:
    with system_of(settings) as system:

        def work(transaction: Transaction) -> None:
            key = _organization_key(transaction, organization_id)
            if quiet_store.quiet_hours(transaction, key) == hours:
                return
            now = system.clock.now()
            quiet_store.set_quiet_hours(transaction, key, hours, now)
            trail.record(
                transaction,
                trail.operator(key),
                AuditEventType.ORG_UPDATED,
                "organization",
                organization_id.lower(),
                now=now,
                fields=("quiet_hours",),
            )

        system.database.write_now(work)


def add_oauth_client(
    settings: Settings, name: str, redirect_uris: tuple[str, ...], scopes: frozenset[str]
) -> str:
    """Register an application and return its client id.

    Raises:
        InvalidArgumentError: naming everything that is wrong.
    """
    clients.check(name, redirect_uris, scopes)
    client = Client(str(uuid.uuid4()), name.strip(), redirect_uris, scopes)
    with system_of(settings) as system:
        system.database.write_now(
            lambda transaction: client_store.insert(transaction, client, system.clock.now())
        )
    return client.id


def oauth_clients(settings: Settings) -> list[Client]:
    """Return the applications this installation knows, the built-in one first."""
    with system_of(settings) as system:
        return system.database.read_now(client_store.every)


def remove_oauth_client(settings: Settings, client_id: str) -> None:
    """Forget an application and end what people have allowed it.

    Raises:
        FailedPreconditionError: it is built in.
        NotFoundError: no such application.
    """
    if client_id == clients.PIDGR_MCP.id:
        raise FailedPreconditionError(f"{client_id} is built in and stays")
    with system_of(settings) as system:
        known = system.database.write_now(
            lambda transaction: grants.remove_client(transaction, client_id, system.clock.now())
        )
    if not known:
        raise NotFoundError(f"no application has the client id {client_id}")


def import_members(
    settings: Settings,
    lines: Iterable[str],
    organization_id: str,
    progress: Callable[[ImportReport], None] | None = None,
    *,
    send_invitations: bool = False,
    dry_run: bool = False,
) -> ImportReport:
    """Invite everyone in a CSV file; see ``pidgr.directory.member_import``.

    Raises:
        SetupError: invitations are to be sent and this server sends no mail.
        NotFoundError: no such organization.
        InvalidArgumentError: the file has no usable header, or is not CSV from some line on.
    """
    with system_of(settings) as system:
        return import_into(
            system,
            lines,
            organization_id,
            progress,
            send_invitations=send_invitations,
            dry_run=dry_run,
        )


def import_into(
    system: System,
    lines: Iterable[str],
    organization_id: str,
    progress: Callable[[ImportReport], None] | None = None,
    *,
    send_invitations: bool = False,
    dry_run: bool = False,
) -> ImportReport:
    """Do the same in an installation that is open."""
    mail = system.invitation_mail if send_invitations else None
    if mail is not None and not mail.enabled:
        message = "invitations need a mail server: set PIDGR_SMTP_URL and PIDGR_MAIL_FROM"
        raise SetupError(message)
    return import_lines(
        system.database,
        system.clock,
        organization_id,
        lines,
        progress,
        invitation_mail=mail,
        dry_run=dry_run,
    )
