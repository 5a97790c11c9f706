"""The composition root: builds the parts of one process and hands them to each other."""

from dataclasses import dataclass
from typing import Final

from pidgr import secrets
from pidgr.campaigns.calling import WebhookCaller
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.lanes import LaneRunner
from pidgr.campaigns.pushing import Pushing
from pidgr.campaigns.sending import Sender
from pidgr.campaigns.steps import StepRunner
from pidgr.campaigns.webhook_secrets import WebhookSecrets
from pidgr.clock import Clock
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import Engine
from pidgr.engine.schema import migrate as migrate_engine
from pidgr.engine.schema import verify as verify_engine
from pidgr.errors import FailedPreconditionError
from pidgr.identity import store as identity_store
from pidgr.identity.code_mail import CodeMail
from pidgr.identity.door_limits import DoorLimits
from pidgr.identity.one_time_codes import Codes
from pidgr.identity.sessions import Sessions
from pidgr.identity.sign_in import SignIn
from pidgr.identity.tokens import TokenSigner
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.http_push import HttpPusher
from pidgr.outreach.mail import ConsoleMailer, Mailer, MissingMailer
from pidgr.outreach.push import LogPusher, Pusher
from pidgr.outreach.smtp import SmtpMailer
from pidgr.pagination import PageTokens
from pidgr.secrets import MasterKey, MasterKeyError
from pidgr.settings import Settings
from pidgr.storage import migration
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

_KEY_CHECK: Final = "master-key-check"


@dataclass(frozen=True, slots=True)
class System:
    """The long-lived parts of a process. The engine is built and not started."""

    settings: Settings
    clock: Clock
    database: Database
    master_key: MasterKey
    signer: TokenSigner
    sessions: Sessions
    sign_in: SignIn
    page_tokens: PageTokens
    delivery_ids: DeliveryIds
    engine: Engine
    pusher: Pusher
    address_guard: AddressGuard
    webhook_secrets: WebhookSecrets

    def close(self) -> None:
        """Stop the engine and release every connection."""
        self.engine.stop()
        self.pusher.close()
        self.database.close()


def migrate(database: Database) -> None:
    """Bring our tables and the engine's to this version's."""
    migration.migrate(database)
    migrate_engine(database)


def require_migrated(database: Database) -> None:
    """Check that both schemas are this version's.

    Raises:
        FailedPreconditionError: they are missing, older or newer.
    """
    if migration.pending(database):
        message = "the database is not prepared for this version: run `pidgr migrate`"
        raise FailedPreconditionError(message)
    verify_engine(database)


def build_system(settings: Settings, *, run_handlers: bool, clock: Clock | None = None) -> System:
    """Connect the parts. The embedded database is migrated on the way, others must be.

    Raises:
        FailedPreconditionError: the database has not been migrated to this version.
        MasterKeyError: the master key is not the one this database was set up with.
        SetupError: no usable database URL or mail settings.
    """
    clock = clock or Clock()
    master_key = secrets.load_master_key(settings)
    database = Database(settings.resolved_database_url())
    if database.dialect == "sqlite":
        migrate(database)
    else:
        require_migrated(database)
    database.write_now(lambda transaction: _check_master_key(transaction, master_key))
    signer = TokenSigner(database, master_key, clock, settings.issuer, settings.audience)
    signer.ensure_key()
    engine = DbosEngine(database, run_handlers=run_handlers)
    sessions = Sessions(database, signer, clock)
    code_mail = CodeMail(database, engine, master_key, _mailer(settings), clock)
    code_mail.register()
    system = System(
        settings=settings,
        clock=clock,
        database=database,
        master_key=master_key,
        signer=signer,
        sessions=sessions,
        sign_in=SignIn(
            database, Codes(master_key), DoorLimits(master_key), code_mail, sessions, clock
        ),
        page_tokens=PageTokens(master_key),
        delivery_ids=DeliveryIds(master_key),
        engine=engine,
        pusher=HttpPusher(settings.push_url) if settings.push_url else LogPusher(),
        address_guard=AddressGuard(settings.webhook_allowed_networks),
        webhook_secrets=WebhookSecrets(database, master_key, clock),
    )
    _register_handlers(system)
    return system


def _mailer(settings: Settings) -> Mailer:
    url = settings.smtp_url.get_secret_value()
    if url:
        return SmtpMailer(url, settings.mail_from)
    return ConsoleMailer() if settings.development else MissingMailer()


def _register_handlers(system: System) -> None:
    steps = StepRunner(system.database, system.engine, system.clock)
    steps.register()
    pushing = Pushing(system.database, system.pusher, system.clock, system.delivery_ids)
    sender = Sender(system.database, system.clock)
    lanes = LaneRunner(system.database, system.engine, system.clock, sender, pushing)
    lanes.register(steps.fail)
    WebhookCaller(
        system.database,
        system.engine,
        system.clock,
        system.address_guard,
        system.webhook_secrets,
        system.delivery_ids,
    ).register()


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
