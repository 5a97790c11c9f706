"""What the contract leaves open about single sign-on: ``/auth/sso/...``.

``GET /auth/sso/domain`` answers ``domain, verified, record_name, record_value``: the TXT record
that proves the domain. ``POST`` looks for it now. ``GET /auth/sso/client`` answers ``client_id,
has_secret, redirect_uri``: who this server is to the provider; ``POST`` with ``client_id,
client_secret?`` changes it. ``GET /auth/sso/provider`` answers ``name, certificates, read_at``:
what is known of the provider; ``POST`` reads its metadata again.
"""

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from pidgr.clock import SECOND
from pidgr.identity.caller import Caller
from pidgr.identity.sso.client_registration import Registration
from pidgr.identity.sso.metadata_refresh import Reading
from pidgr.identity.sso.oidc_sign_in import redirect_uri
from pidgr.identity.sso.ownership import Claim
from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.rpc.interceptors import check_freshness
from pidgr.rpc.plain_http import Answer, Fields, Handler, door
from pidgr.rpc.policy import POLICY
from pidgr.system import System

_DOMAIN = "auth/sso/domain"
_CLIENT = "auth/sso/client"
_KNOWN = "auth/sso/provider"
# What changes single sign-on by these doors is as sensitive as connecting a provider.
_RULE = POLICY["SSOService/CreateSSOProvider"]


def sso_doors(system: System, doorkeeper: Doorkeeper) -> list[BaseRoute]:
    """Return the routes."""
    return [
        Route(f"/{_DOMAIN}", door(_DOMAIN, None, _claim(system, doorkeeper)), methods=["GET"]),
        Route(f"/{_DOMAIN}", door(_DOMAIN, None, _prove(system, doorkeeper)), methods=["POST"]),
        Route(f"/{_CLIENT}", door(_CLIENT, None, _client(system, doorkeeper)), methods=["GET"]),
        Route(f"/{_CLIENT}", door(_CLIENT, None, _register(system, doorkeeper)), methods=["POST"]),
        Route(f"/{_KNOWN}", door(_KNOWN, None, _show(system, doorkeeper)), methods=["GET"]),
        Route(f"/{_KNOWN}", door(_KNOWN, None, _refresh(system, doorkeeper)), methods=["POST"]),
    ]


def _claim(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        return _answer(await system.domain_ownership.claim(await doorkeeper.admit(request)))

    return handle


def _prove(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        caller = await doorkeeper.admit(request)
        await Fields.of(request)
        require_fresh(system, caller)
        return _answer(await system.domain_ownership.prove(caller))

    return handle


def _client(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        caller = await doorkeeper.admit(request)
        return _registration(system, await system.sso_client.show(caller))

    return handle


def _register(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        caller = await doorkeeper.admit(request)
        fields = await Fields.of(request)
        require_fresh(system, caller)
        client_id = fields.text("client_id", required=False)
        secret = fields.text("client_secret", required=False)
        return _registration(system, await system.sso_client.change(caller, client_id, secret))

    return handle


def _show(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        return _reading(await system.sso_metadata.show(await doorkeeper.admit(request)))

    return handle


def _refresh(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        caller = await doorkeeper.admit(request)
        await Fields.of(request)
        require_fresh(system, caller)
        return _reading(await system.sso_metadata.refresh(caller))

    return handle


def _reading(reading: Reading) -> Answer:
    return {
        "name": reading.name,
        "certificates": list(reading.certificates),
        "read_at": reading.read_at // SECOND,
    }


def _registration(system: System, registration: Registration) -> Answer:
    return {
        "client_id": registration.client_id,
        "has_secret": registration.has_secret,
        "redirect_uri": redirect_uri(system.settings.issuer),
    }


def require_fresh(system: System, caller: Caller) -> None:
    """With step-up on, demand that the person has signed in just now.

    Raises:
        StaleAuthenticationError: they have not.
    """
    if system.settings.step_up:
        check_freshness(_RULE, caller, system.clock.now())


def _answer(claim: Claim) -> Answer:
    return {
        "domain": claim.domain,
        "verified": claim.verified,
        "record_name": claim.record_name,
        "record_value": claim.record_value,
    }
