"""OAuth for programs: metadata, the token and revocation endpoints, and a person's applications.

Answers and errors are those of RFC 6749 5, RFC 7009, RFC 8414 and RFC 9728. A person's own list,
``GET /auth/applications`` and ``POST /auth/applications/revoke`` (``client_id,
organization_id``), is a door like the other ``/auth/...``.
"""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import structlog
from connectrpc.request import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.clock import SECOND
from pidgr.errors import UnauthenticatedError
from pidgr.identity.oauth import client_store, consent_store, grants, scopes
from pidgr.identity.oauth.errors import OAuthError, invalid_request
from pidgr.identity.oauth.request import single
from pidgr.rpc import metrics
from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.limits import Limiter, Limits
from pidgr.rpc.plain_http import (
    STATUS,
    Answer,
    Fields,
    Handler,
    client_of,
    door,
    limited,
    read_form,
)
from pidgr.storage.transaction import Reader
from pidgr.system import System

AUTHORIZE: Final = "/oauth/authorize"
_TOKEN: Final = "/oauth/token"  # noqa: S105 - a path
_REVOKE: Final = "/oauth/revoke"
_SERVER_METADATA: Final = "/.well-known/oauth-authorization-server"
RESOURCE_METADATA: Final = "/.well-known/oauth-protected-resource"
_PUBLIC: Final = {"cache-control": "public, max-age=300"}

log = structlog.get_logger("pidgr.rpc")
FormHandler = Callable[[dict[str, str]], Awaitable[Answer]]


def oauth_doors(system: System, doorkeeper: Doorkeeper, limits: Limits) -> list[BaseRoute]:
    """Return the routes."""
    issuer = system.settings.issuer.rstrip("/")
    documents = {
        _SERVER_METADATA: _server_metadata(system.settings.issuer, issuer),
        RESOURCE_METADATA: _resource_metadata(issuer),
    }
    # An issuer with a path has its documents behind the well-known name (RFC 8414 3.1).
    path = urlsplit(issuer).path
    posts = {_TOKEN: _token(system), _REVOKE: _revoke(system)}
    return [
        *(
            Route(name + suffix, limited(limits.documents, _document(content)), methods=["GET"])
            for name, content in documents.items()
            for suffix in sorted({"", path})
        ),
        *(
            Route(path, _form_door(path[1:], limits.sign_in, handler), methods=["POST"])
            for path, handler in posts.items()
        ),
        Route(
            "/auth/applications",
            door("auth/applications", None, _applications(system, doorkeeper)),
            methods=["GET"],
        ),
        Route(
            "/auth/applications/revoke",
            door("auth/applications/revoke", None, _withdraw(system, doorkeeper)),
            methods=["POST"],
        ),
    ]


def _server_metadata(issuer: str, base: str) -> Answer:
    return {
        "issuer": issuer,
        "authorization_endpoint": base + AUTHORIZE,
        "token_endpoint": base + _TOKEN,
        "revocation_endpoint": base + _REVOKE,
        "jwks_uri": base + "/.well-known/jwks.json",
        "scopes_supported": list(scopes.SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "revocation_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["en", "es", "pt-BR", "zh", "ja"],
    }


def _resource_metadata(base: str) -> Answer:
    return {
        "resource": base,
        "authorization_servers": [base],
        "scopes_supported": list(scopes.SCOPES),
        "bearer_methods_supported": ["header"],
        "resource_name": "Pidgr",
    }


def _document(content: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(_request: Request) -> Response:
        return JSONResponse(content, headers=_PUBLIC)

    return endpoint


def _form_door(
    name: str, limiter: Limiter, handler: FormHandler
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        headers = Headers({"cache-control": "no-store", "pragma": "no-cache"})
        code, status = "ok", int(HTTPStatus.OK)
        try:
            await limiter.take(client_of(request))
            answer = await handler(await _fields(request))
        except OAuthError as error:
            code = error.code
            status = HTTPStatus.BAD_REQUEST
            if code == "invalid_client":
                status = HTTPStatus.UNAUTHORIZED
                headers["www-authenticate"] = 'Basic realm="pidgr"'
            answer = {"error": code, "error_description": error.description}
        except Exception as error:  # noqa: BLE001 - mapped here as an RPC's is by its interceptor
            visible = to_connect_error(error, headers)
            status = STATUS[visible.code]
            code = {400: "invalid_request", 429: "temporarily_unavailable"}.get(
                status, "server_error"
            )
            answer = {"error": code, "error_description": visible.message}
        metrics.REQUESTS.labels(name, code).inc()
        log.info("http", door=name, code=code)
        return JSONResponse(answer, status, headers=dict(headers))

    return endpoint


async def _fields(request: Request) -> dict[str, str]:
    if "authorization" in request.headers:
        # Before anything is used up: some clients try a header first, then the form.
        raise OAuthError("invalid_client", "send client_id in the form, without a secret")
    return single(await read_form(request))


def _required(given: dict[str, str], *names: str) -> tuple[str, ...]:
    missing = [name for name in names if name not in given]
    if missing:
        raise invalid_request(f"{', '.join(missing)} missing")
    return tuple(given[name] for name in names)


def _token(system: System) -> FormHandler:
    async def handle(given: dict[str, str]) -> Answer:
        kind, client_id = _required(given, "grant_type", "client_id")
        if kind == "authorization_code":
            code, redirect_uri, verifier = _required(given, "code", "redirect_uri", "code_verifier")
            tokens = await system.grants.exchange(client_id, code, redirect_uri, verifier)
        elif kind == "refresh_token":
            (refresh_token,) = _required(given, "refresh_token")
            wanted = scopes.parse(given.get("scope", ""))
            tokens = await system.grants.refresh(client_id, refresh_token, wanted)
        else:
            raise OAuthError(
                "unsupported_grant_type", "grant_type must be authorization_code or refresh_token"
            )
        return {
            "access_token": tokens.access_token,
            "token_type": "Bearer",
            "expires_in": tokens.lifetime // SECOND,
            "refresh_token": tokens.refresh_token,
            "scope": tokens.scope,
            "organization_id": tokens.organization_id,
        }

    return handle


def _revoke(system: System) -> FormHandler:
    async def handle(given: dict[str, str]) -> Answer:
        client_id, token = _required(given, "client_id", "token")
        await system.grants.revoke(client_id, token)
        return {}

    return handle


async def _subject(doorkeeper: Doorkeeper, request: Request) -> str:
    caller = await doorkeeper.admit(request)
    if not caller.subject:
        raise UnauthenticatedError("this call is for signed-in people, not API keys")
    return caller.subject


def _applications(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        subject = await _subject(doorkeeper, request)

        def read(reader: Reader) -> list[object]:
            names = {client.id: client.name for client in client_store.every(reader)}
            return [
                {
                    "client_id": one.client_id,
                    "name": names.get(one.client_id, one.client_id),
                    "organization_id": one.organization_id,
                    "organization_name": one.organization_name,
                    "scope": one.scopes,
                    "granted_at": one.granted_at // SECOND,
                }
                for one in consent_store.of_subject(reader, subject)
            ]

        return {"applications": await system.database.read(read)}

    return handle


def _withdraw(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        subject = await _subject(doorkeeper, request)
        fields = await Fields.of(request)
        client_id = fields.text("client_id")
        organization_id = fields.text("organization_id").lower()
        await system.database.write(
            lambda transaction: grants.withdraw(
                transaction, subject, organization_id, client_id, system.clock.now()
            )
        )
        return {}

    return handle
