"""Where browsers come by on their way to a provider and back, and clients fetch tokens.

``GET /auth/sso/start?email=&code_challenge=`` sends a browser to the provider of the address's
domain; ``GET /auth/sso/callback`` takes it back and sends it on to PIDGR_SIGN_IN_URL with
``pidgr_code``. ``POST /auth/sso/token`` with ``code, code_verifier`` answers tokens.
"""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode, urlsplit

import structlog
from connectrpc.request import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.clock import SECOND
from pidgr.contract.v1.sso_pb import SSOProviderType
from pidgr.errors import (
    InvalidArgumentError,
    NotFoundError,
    ResourceExhaustedError,
    UnavailableError,
)
from pidgr.identity.sso.admission import NotAdmittedError
from pidgr.identity.sso.oidc_sign_in import CALLBACK
from pidgr.identity.sso.sign_in import ATTEMPT_LIFETIME
from pidgr.identity.sso.ways import BrokenSignInError
from pidgr.rpc import metrics
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.html_pages import html_page
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limits
from pidgr.rpc.plain_http import Answer, Fields, client_of, door
from pidgr.rpc.sign_in_pages import token_answer
from pidgr.rpc.sso_texts import ROWS
from pidgr.system import System

_DOOR: Final = "auth/sso"
_COOKIE: Final = "pidgr_sso"
_PLAIN: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}

log = structlog.get_logger("pidgr.rpc")

Step = Callable[[Request], Awaitable[Response]]


def sso_sign_in_doors(system: System, limits: Limits) -> list[BaseRoute]:
    """Return the routes."""
    doors = _Doors(system)

    def guarded(step: Step) -> Step:
        async def endpoint(request: Request) -> Response:
            try:
                await limits.sign_in.take(client_of(request))
                response = await step(request)
            except (BrokenSignInError, InvalidArgumentError):
                response = _page(request, "broken", 400)
            except NotFoundError:
                response = _page(request, "none", 404)
            except NotAdmittedError as error:
                response = _page(request, error.reason, 403)
            except UnavailableError:
                response = _page(request, "later", 503)
            except ResourceExhaustedError as error:
                response = _page(request, "later", 429)
                to_connect_error(error, headers := Headers())
                response.headers.update(headers)
            metrics.REQUESTS.labels(_DOOR, str(response.status_code)).inc()
            log.info("http", door=_DOOR, status=response.status_code)
            return response

        return endpoint

    return [
        Route("/auth/sso/start", guarded(doors.start), methods=["GET"]),
        Route(CALLBACK, guarded(doors.callback), methods=["GET"]),
        Route(
            "/auth/sso/token",
            door("auth/sso/token", limits.sign_in, doors.token),
            methods=["POST"],
        ),
    ]


class _Doors:
    def __init__(self, system: System) -> None:
        self._sign_in = system.sso_sign_in
        self._home = system.settings.sign_in_url
        issuer = urlsplit(system.settings.issuer)
        self._secure = issuer.scheme == "https"
        self._path = issuer.path.rstrip("/") + "/auth/sso"

    async def start(self, request: Request) -> Response:
        """Send a browser to its provider."""
        query = request.query_params
        if not self._home:
            # There would be nowhere to send it to afterwards.
            raise NotFoundError("PIDGR_SIGN_IN_URL is not set")
        departure = await self._sign_in.depart(
            query.get("email", ""),
            query.get("code_challenge", ""),
            request.cookies.get(_COOKIE, ""),
        )
        response = RedirectResponse(departure.url, 303, _PLAIN)
        response.set_cookie(
            _COOKIE,
            departure.browser,
            max_age=ATTEMPT_LIFETIME // SECOND,
            path=self._path,
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )
        return response

    async def callback(self, request: Request) -> Response:
        """Take it back, and send it on to the client."""
        answer = dict(request.query_params)
        code = await self._sign_in.arrive(
            SSOProviderType.OIDC,
            answer.get("state", ""),
            answer,
            request.cookies.get(_COOKIE, ""),
        )
        glue = "&" if "?" in self._home else "?"
        target = f"{self._home}{glue}{urlencode({'pidgr_code': code})}"
        return RedirectResponse(target, 303, _PLAIN)

    async def token(self, request: Request) -> Answer:
        """Answer tokens."""
        fields = await Fields.of(request)
        return token_answer(
            await self._sign_in.tokens(fields.text("code"), fields.text("code_verifier"))
        )


def _page(request: Request, name: str, status: int) -> Response:
    language, words = texts(ROWS, request.headers.get("accept-language", ""))
    body = f'<p class="error" role="alert">{words[name]}</p>'
    return html_page(language, words["title"], body, status)
