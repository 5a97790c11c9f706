"""Assembles the ASGI application: the services, health, reflection and a few plain pages."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from connectrpc.compression import Compression
from connectrpc.interceptor import Interceptor
from protobuf import DescService
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from pidgr.audit.service import AuditService
from pidgr.campaigns.service import CampaignService
from pidgr.campaigns.token_service import TokenService
from pidgr.content.render_service import RenderService
from pidgr.content.template_service import TemplateService
from pidgr.contract.health import health_pb
from pidgr.contract.v1 import (
    action_pb,
    api_key_pb,
    audit_pb,
    campaign_pb,
    device_pb,
    group_pb,
    heatmap_pb,
    inbox_pb,
    invite_link_pb,
    member_pb,
    organization_pb,
    privacy_pb,
    render_pb,
    replay_pb,
    role_pb,
    sso_pb,
    team_pb,
    template_pb,
    token_pb,
)
from pidgr.directory.group_service import GroupService
from pidgr.directory.invite_link_service import InviteLinkService
from pidgr.directory.member_service import MemberService
from pidgr.directory.organization_service import OrganizationService
from pidgr.directory.role_service import RoleService
from pidgr.directory.team_service import TeamService
from pidgr.heatmaps.service import HeatmapService
from pidgr.identity.api_key_service import ApiKeyService
from pidgr.identity.authenticator import Authenticator
from pidgr.identity.external_issuers import ExternalIssuers
from pidgr.identity.sso.metadata import MetadataReader
from pidgr.identity.sso.service import SSOService
from pidgr.inbox.action_service import ActionService
from pidgr.inbox.device_service import DeviceService
from pidgr.inbox.service import InboxService
from pidgr.logs import configure_logging
from pidgr.privacy.service import PrivacyService
from pidgr.replay.service import ReplayService
from pidgr.rpc.binding import bind
from pidgr.rpc.client_address import TrustProxies
from pidgr.rpc.client_pages import client_pages
from pidgr.rpc.compression import ThriftyGzip
from pidgr.rpc.consent_pages import consent_pages
from pidgr.rpc.dispatch import Dispatcher, Doors, rpc_paths
from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.rpc.file_doors import file_doors
from pidgr.rpc.health import HealthService
from pidgr.rpc.idempotency import Idempotency
from pidgr.rpc.inbox_pages import inbox_pages
from pidgr.rpc.interceptors import (
    Authenticate,
    AuthenticateService,
    Authorize,
    LimitAddress,
    LimitRate,
    Observe,
)
from pidgr.rpc.join_pages import join_pages
from pidgr.rpc.limits import Limiter, Limits, MemoryLimiter, Rate
from pidgr.rpc.link_pages import link_pages
from pidgr.rpc.oauth_doors import RESOURCE_METADATA, oauth_doors
from pidgr.rpc.pages import pages
from pidgr.rpc.passkey_doors import passkey_doors
from pidgr.rpc.passkey_pages import passkey_pages
from pidgr.rpc.policy import POLICY, Access
from pidgr.rpc.reflection import Reflection
from pidgr.rpc.replay_doors import replay_doors
from pidgr.rpc.scim_doors import scim_doors
from pidgr.rpc.server import ON_DRAIN
from pidgr.rpc.service_app import ServiceApp
from pidgr.rpc.shared_limits import SharedLimiter
from pidgr.rpc.sign_in_doors import sign_in_doors
from pidgr.rpc.sign_in_steps import SignInSteps, sign_in_pages
from pidgr.rpc.sso_doors import sso_doors
from pidgr.rpc.sso_sign_in_doors import sso_sign_in_doors
from pidgr.rpc.telegram_doors import telegram_doors
from pidgr.rpc.web_push_doors import web_push_doors
from pidgr.settings import Settings
from pidgr.system import System, build_system

# The audience of CreateCampaign and the answers of GetCampaignAudience hold 100,000 members.
MAXIMUM_MESSAGE_BYTES: Final = 64 * 1024 * 1024

# Health and reflection are asked by anyone, and in a few words.
_MAXIMUM_QUESTION_BYTES: Final = 64 * 1024

_COMPRESSIONS: Final[tuple[Compression, ...]] = (ThriftyGzip(),)

CONTRACT: Final[tuple[DescService, ...]] = tuple(
    service
    for file in (
        action_pb,
        api_key_pb,
        audit_pb,
        campaign_pb,
        device_pb,
        group_pb,
        heatmap_pb,
        inbox_pb,
        invite_link_pb,
        member_pb,
        organization_pb,
        privacy_pb,
        render_pb,
        replay_pb,
        role_pb,
        sso_pb,
        team_pb,
        template_pb,
        token_pb,
    )
    for service in file.desc().services
)
_HEALTH: Final = health_pb.desc().services[0]

_EXPOSED_HEADERS: Final = (
    "retry-after",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
    "x-request-id",
    "www-authenticate",
)
_ONE_DAY_SECONDS: Final = 86_400


def implementations(system: System) -> dict[str, object]:
    """Return our services by contract name; what is missing answers UNIMPLEMENTED."""
    clock, database, engine = system.clock, system.database, system.engine
    tokens, ids = system.page_tokens, system.delivery_ids
    return {
        "ActionService": ActionService(database, engine, clock, ids),
        "ApiKeyService": ApiKeyService(clock),
        "AuditService": AuditService(
            system.trail_reader, system.audit_exports, system.blob_links, clock, tokens
        ),
        "CampaignService": CampaignService(
            engine, clock, tokens, ids, system.address_guard, system.departures
        ),
        "DeviceService": DeviceService(clock),
        "GroupService": GroupService(clock, tokens),
        "HeatmapService": HeatmapService(
            clock, system.cohorts, system.touch_upkeep, system.screenshots
        ),
        "InboxService": InboxService(database, clock, ids),
        "InviteLinkService": InviteLinkService(
            system.invite_links, system.master_key, system.settings.issuer, clock
        ),
        "MemberService": MemberService(clock, tokens, system.invitation_mail),
        "OrganizationService": OrganizationService(
            clock, system.sandbox_deletion, system.address_guard
        ),
        "PrivacyService": PrivacyService(
            system.data_exports, system.erasure, system.blob_links, clock, tokens
        ),
        "RenderService": RenderService(database, clock),
        "ReplayService": ReplayService(system.archives, tokens),
        "RoleService": RoleService(clock),
        "SSOService": SSOService(MetadataReader(system.fetcher, clock), clock),
        "TeamService": TeamService(clock, tokens),
        "TemplateService": TemplateService(clock, tokens),
        "TokenService": TokenService(system.deeplink_tokens, clock),
    }


def build_app(system: System) -> ASGIApp:
    """Return the application of one process; its lifespan starts and stops the engine."""
    health = HealthService(description.type_name for description in CONTRACT)
    issuers = ExternalIssuers(system.database, system.clock, system.settings.trusted_issuers)
    authenticator = Authenticator(system.database, system.signer, issuers, system.clock)
    limits = build_limits(system)
    doorkeeper = Doorkeeper(authenticator, limits)
    steps = SignInSteps(system)
    rpcs = _contract_rpcs(system, _public_interceptors(system, doorkeeper, limits))
    rpcs |= _health_rpcs(health)
    if system.settings.reflection:
        rpcs |= Reflection(
            [*CONTRACT, _HEALTH],
            interceptors=(LimitAddress(limits.public),),
            read_max_bytes=_MAXIMUM_QUESTION_BYTES,
            compressions=_COMPRESSIONS,
        ).rpcs()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, Any]]:
        system.engine.start()
        health.open()
        yield {ON_DRAIN: health.drain}
        health.drain()
        system.close()

    routes = [
        *pages(system, health, limits),
        *sign_in_doors(system, doorkeeper, limits),
        *passkey_doors(system, doorkeeper, limits),
        *oauth_doors(system, doorkeeper, limits),
        *sso_doors(system, doorkeeper),
        *sso_sign_in_doors(system, limits, steps),
        *file_doors(system, limits),
        *replay_doors(system, doorkeeper),
        *scim_doors(system, doorkeeper),
        *web_push_doors(system, doorkeeper),
        *telegram_doors(system.telegram, doorkeeper),
        *sign_in_pages(steps, limits),
        *client_pages(system, limits, steps),
        *consent_pages(system, limits, steps),
        *passkey_pages(system, limits, steps),
        *join_pages(system, limits, steps),
        *link_pages(system, limits.public),
        *inbox_pages(system.settings, limits),
    ]
    app: ASGIApp = Dispatcher(rpcs, Starlette(routes=routes, lifespan=lifespan))
    if system.settings.trusted_proxies:
        app = TrustProxies(app, system.settings.trusted_proxies)
    public = CORSMiddleware(
        app,
        allow_origins=system.settings.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("*",),
        expose_headers=_EXPOSED_HEADERS,
        max_age=_ONE_DAY_SECONDS,
    )
    if system.settings.internal_port is None:
        return public
    return Doors(public, Dispatcher(_internal_rpcs(system), Starlette()))


def build_limits(system: System) -> Limits:
    """Return the allowances the settings give."""
    settings, clock = system.settings, system.clock
    public = Rate.of(settings.public_limit_per_second, settings.public_limit_burst)
    bad = Rate.of(settings.bad_credential_limit_per_second, settings.bad_credential_limit_burst)

    def shared(kind: str, rate: Rate) -> Limiter:
        # On SQLite there is one process. On PostgreSQL there may be others, now or later.
        if system.database.dialect == "sqlite":
            return MemoryLimiter(rate, clock)
        return SharedLimiter(system.database, system.master_key, kind, rate, clock)

    return Limits(
        organizations=shared(
            "organization", Rate.of(settings.rate_limit_per_second, settings.rate_limit_burst)
        ),
        sign_in=shared(
            "sign-in", Rate.of(settings.sign_in_limit_per_second, settings.sign_in_limit_burst)
        ),
        invites=shared(
            "invite", Rate.of(settings.invite_limit_per_minute / 60, settings.invite_limit_burst)
        ),
        public=shared("public", public),
        documents=MemoryLimiter(public, clock),
        bad_credentials=MemoryLimiter(bad, clock),
        refusals=MemoryLimiter(bad, clock),
    )


def _public_interceptors(
    system: System, doorkeeper: Doorkeeper, limits: Limits
) -> tuple[Interceptor, ...]:
    settings = system.settings
    return (
        Observe(settings.issuer.rstrip("/") + RESOURCE_METADATA),
        Authenticate(doorkeeper),
        LimitRate(limits),
        Authorize(system.clock if settings.step_up else None),
    )


def _internal_rpcs(system: System) -> dict[str, ASGIApp]:
    """Return what services of this installation may call, and nobody else."""
    token = system.settings.internal_token.get_secret_value()
    interceptors = (Observe(), AuthenticateService(token, system.database), Authorize())
    return {
        path: app
        for path, app in _contract_rpcs(system, interceptors).items()
        if POLICY[path.removeprefix("/pidgr.v1.")].access is Access.INTERNAL
    }


def _contract_rpcs(system: System, interceptors: tuple[Interceptor, ...]) -> dict[str, ASGIApp]:
    idempotency = Idempotency(system.master_key, system.clock)
    ours = implementations(system)
    rpcs: dict[str, ASGIApp] = {}
    for description in CONTRACT:
        service = ours.get(description.type_name.rpartition(".")[2])
        app = ServiceApp(
            description,
            bind(description, service, system.database, idempotency),
            interceptors=interceptors,
            read_max_bytes=MAXIMUM_MESSAGE_BYTES,
            compressions=_COMPRESSIONS,
        )
        rpcs |= dict.fromkeys(rpc_paths(description), app)
    return rpcs


def _health_rpcs(health: HealthService) -> dict[str, ASGIApp]:
    app = ServiceApp(
        _HEALTH, health, read_max_bytes=_MAXIMUM_QUESTION_BYTES, compressions=_COMPRESSIONS
    )
    return dict.fromkeys(rpc_paths(_HEALTH), app)


def create_app() -> ASGIApp:
    """Build the application from the environment; what each server process calls.

    Workers are fresh interpreters, so each sets up its own log.
    """
    settings = Settings()
    configure_logging(settings.log_level)
    return build_app(build_system(settings, run_handlers=settings.embedded_engine))
