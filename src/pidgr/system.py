"""The composition root: builds the parts of one process and hands them to each other."""

from dataclasses import dataclass
from typing import Final

from pidgr import secrets
from pidgr.audit.exporting import AuditExports
from pidgr.audit.reading import TrailReader
from pidgr.campaigns.alert_channel import AlertChannel
from pidgr.campaigns.calling import WebhookCaller
from pidgr.campaigns.deeplink_tokens import DeeplinkTokens
from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.campaigns.departures import Departures
from pidgr.campaigns.lanes import LaneRunner
from pidgr.campaigns.nudge_letters import Letters
from pidgr.campaigns.nudging import Nudging
from pidgr.campaigns.pushing import Pushing
from pidgr.campaigns.sending import Sender
from pidgr.campaigns.steps import StepRunner
from pidgr.campaigns.webhook_secrets import WebhookSecrets
from pidgr.campaigns.workflow import PUSH
from pidgr.clock import Clock
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.directory.invitation_mail import InvitationMail
from pidgr.directory.invite_links import InviteLinks
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.engine.port import Engine
from pidgr.engine.schema import migrate as migrate_engine
from pidgr.engine.schema import verify as verify_engine
from pidgr.errors import FailedPreconditionError
from pidgr.heatmaps.cohorts import Cohorts
from pidgr.heatmaps.screenshots import Screenshots
from pidgr.heatmaps.upkeep import Upkeep
from pidgr.identity import store as identity_store
from pidgr.identity.arrivals import Arrivals
from pidgr.identity.code_mail import CodeMail
from pidgr.identity.door_limits import DoorLimits
from pidgr.identity.failures import Failures
from pidgr.identity.oauth.grants import Grants
from pidgr.identity.one_time_codes import Codes
from pidgr.identity.passkeys.enrolment import Enrolment
from pidgr.identity.passkeys.passkey_mail import PasskeyMail
from pidgr.identity.passkeys.passkey_sign_in import PasskeySignIn
from pidgr.identity.passkeys.relying_party import RelyingParty
from pidgr.identity.sessions import Sessions
from pidgr.identity.sign_in import SignIn
from pidgr.identity.sso.client_registration import ClientRegistration
from pidgr.identity.sso.metadata import MetadataReader
from pidgr.identity.sso.metadata_refresh import MetadataRefresh
from pidgr.identity.sso.oidc_sign_in import OidcSignIn
from pidgr.identity.sso.ownership import DomainOwnership
from pidgr.identity.sso.saml import Saml
from pidgr.identity.sso.sign_in import SsoSignIn
from pidgr.identity.tokens import TokenSigner
from pidgr.inbox.telegram import TelegramChats, build_telegram
from pidgr.inbox.web_push import WebPushSubscriptions
from pidgr.outreach.address_guard import AddressGuard
from pidgr.outreach.channel_setup import build_channels
from pidgr.outreach.fetching import Fetcher
from pidgr.outreach.mail import ConsoleMailer, MissingMailer
from pidgr.outreach.push import Pusher
from pidgr.outreach.push_setup import build_browser_pusher, build_pusher
from pidgr.outreach.smtp import SmtpMailer
from pidgr.outreach.txt_records import TxtRecords
from pidgr.outreach.vapid import Vapid
from pidgr.outreach.web_push import PushServices
from pidgr.pagination import PageTokens
from pidgr.privacy.erasure import Erasure
from pidgr.privacy.exports import DataExports
from pidgr.replay.archives import Archives, build_archives
from pidgr.replay.own_archive import OwnArchive
from pidgr.replay.recorder import Recorder
from pidgr.sandboxes.deletion import SandboxDeletion
from pidgr.secrets import MasterKey, MasterKeyError
from pidgr.settings import Settings
from pidgr.storage import migration
from pidgr.storage.blobs import BlobStore, build_blobs
from pidgr.storage.blobs.links import BlobLinks
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

_KEY_CHECK: Final = "master-key-check"


@dataclass(frozen=True, slots=True)
class System:
    """The long-lived parts of a process. The engine is built and not started."""

    settings: Settings
    clock: Clock
    database: Database
    blobs: BlobStore
    master_key: MasterKey
    signer: TokenSigner
    sessions: Sessions
    sign_in: SignIn
    relying_party: RelyingParty
    passkeys: Enrolment
    passkey_sign_in: PasskeySignIn
    grants: Grants
    page_tokens: PageTokens
    delivery_ids: DeliveryIds
    departures: Departures
    engine: Engine
    pusher: Pusher
    browser_pusher: Pusher
    vapid: Vapid
    web_push: WebPushSubscriptions
    telegram: TelegramChats | None
    address_guard: AddressGuard
    webhook_secrets: WebhookSecrets
    deeplink_tokens: DeeplinkTokens
    sandbox_deletion: SandboxDeletion
    cohorts: Cohorts
    touch_upkeep: Upkeep
    screenshots: Screenshots
    invitation_mail: InvitationMail
    nudging: Nudging
    invite_links: InviteLinks
    recorder: Recorder
    archives: Archives
    data_exports: DataExports
    erasure: Erasure
    fetcher: Fetcher
    domain_ownership: DomainOwnership
    sso_sign_in: SsoSignIn
    arrivals: Arrivals
    sso_client: ClientRegistration
    sso_metadata: MetadataRefresh
    trail_reader: TrailReader
    audit_exports: AuditExports
    blob_links: BlobLinks

    def close(self) -> None:
        """Stop the engine and release every connection."""
        self.departures.interrupt()
        self.engine.stop()
        self.departures.close()
        self.pusher.close()
        self.browser_pusher.close()
        self.fetcher.close()
        self.archives.close()
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
        SetupError: no usable database URL, blob URL, mail settings or public URL.
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
    sessions = Sessions(database, signer, clock, master_key)
    mailer = _mailer(settings)
    code_mail = CodeMail(database, engine, master_key, mailer, clock)
    code_mail.register()
    passkey_mail = PasskeyMail(database, engine, mailer, settings.issuer.rstrip("/") + "/passkeys")
    passkey_mail.register()
    limits = DoorLimits(master_key)
    failures = Failures(limits, clock)
    relying_party = RelyingParty(settings.issuer)
    services = PushServices(settings.web_push_services)
    contact = settings.issuer if settings.issuer.startswith("https://") else ""
    vapid = Vapid(master_key, settings.web_push_contact or contact, clock)
    blobs = build_blobs(settings)
    fetcher = Fetcher(AddressGuard(settings.sso_allowed_networks))
    archives = build_archives(settings, OwnArchive(database, blobs))
    delivery_ids = DeliveryIds(master_key)
    departures = Departures(database)
    trail_reader = TrailReader(delivery_ids)
    blob_links = BlobLinks(master_key, settings.issuer, clock)
    deeplink_tokens = DeeplinkTokens(master_key)
    pusher = build_pusher(settings, clock)
    browser_pusher = build_browser_pusher(settings, services, vapid)
    address_guard = AddressGuard(settings.webhook_allowed_networks)
    webhook_secrets = WebhookSecrets(database, master_key, clock)
    telegram = build_telegram(settings, database, address_guard, master_key, clock)
    system = System(
        settings=settings,
        clock=clock,
        database=database,
        blobs=blobs,
        master_key=master_key,
        signer=signer,
        sessions=sessions,
        sign_in=SignIn(database, Codes(master_key), limits, failures, code_mail, sessions, clock),
        relying_party=relying_party,
        passkeys=Enrolment(database, relying_party, passkey_mail, clock),
        passkey_sign_in=PasskeySignIn(database, relying_party, failures, sessions, clock),
        grants=Grants(database, signer, clock),
        page_tokens=PageTokens(master_key),
        delivery_ids=delivery_ids,
        departures=departures,
        engine=engine,
        pusher=pusher,
        browser_pusher=browser_pusher,
        vapid=vapid,
        web_push=WebPushSubscriptions(database, services, clock),
        telegram=telegram,
        address_guard=address_guard,
        webhook_secrets=webhook_secrets,
        deeplink_tokens=deeplink_tokens,
        sandbox_deletion=SandboxDeletion(database, engine, blobs, clock),
        cohorts=Cohorts(master_key),
        touch_upkeep=Upkeep(database, engine, clock, settings.heatmap_retention_days),
        screenshots=Screenshots(database, engine, blobs, blob_links, clock),
        invite_links=InviteLinks(clock),
        data_exports=DataExports(database, engine, blobs, delivery_ids, clock),
        erasure=Erasure(database, engine, clock),
        recorder=Recorder(
            database, engine, blobs, clock, settings.replay_retention_days, archives.elsewhere
        ),
        archives=archives,
        invitation_mail=InvitationMail(
            database,
            engine,
            None if isinstance(mailer, MissingMailer) else mailer,
            clock,
            settings.home_url,
        ),
        nudging=Nudging(
            database,
            engine,
            departures,
            clock,
            {
                PUSH: AlertChannel(database, pusher, browser_pusher),
                **build_channels(
                    settings,
                    None if isinstance(mailer, MissingMailer) else mailer,
                    address_guard,
                    webhook_secrets.secret,
                    clock,
                    telegram.channel() if telegram else None,
                ),
            },
            Letters(settings.issuer, deeplink_tokens),
        ),
        fetcher=fetcher,
        arrivals=Arrivals(database, sessions, clock),
        sso_sign_in=SsoSignIn(
            database,
            master_key,
            clock,
            {
                SSOProviderType.OIDC: OidcSignIn(
                    database, fetcher, master_key, settings.issuer, clock
                ),
                SSOProviderType.SAML: Saml(settings.issuer, clock),
            },
        ),
        sso_client=ClientRegistration(database, master_key, clock),
        sso_metadata=MetadataRefresh(database, MetadataReader(fetcher, clock), clock),
        domain_ownership=DomainOwnership(database, TxtRecords(settings.dns_servers), clock),
        trail_reader=trail_reader,
        audit_exports=AuditExports(database, engine, blobs, trail_reader, clock),
        blob_links=blob_links,
    )
    _register_handlers(system)
    return system


def _mailer(settings: Settings) -> SmtpMailer | ConsoleMailer | MissingMailer:
    url = settings.smtp_url.get_secret_value()
    if url:
        return SmtpMailer(url, settings.mail_from)
    return ConsoleMailer() if settings.development else MissingMailer()


def _register_handlers(system: System) -> None:
    steps = StepRunner(system.database, system.engine, system.clock)
    steps.register()
    pushing = Pushing(
        system.database,
        system.engine,
        system.pusher,
        system.browser_pusher,
        system.clock,
        system.delivery_ids,
        system.departures,
    )
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
    system.sandbox_deletion.register()
    system.audit_exports.register()
    system.touch_upkeep.register()
    system.screenshots.register()
    system.recorder.register()
    system.data_exports.register()
    system.erasure.register()
    system.invitation_mail.register()
    system.nudging.register()


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
