"""Where browsers come by on their way to a provider and back.

``GET /auth/sso/start?email=`` sends a browser to the provider of the address's domain; ``GET
/auth/sso/callback`` (OpenID Connect) and ``POST /auth/sso/saml/acs`` (SAML) take it back and on to
what the sign-in was for: a client's, which sends it with ``code_challenge``, or another page's of
this server, whose sign-in page sends it with ``visit``. ``GET /auth/sso/saml/metadata`` is what
SAML providers are set up with.
"""

from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import Final
from urllib.parse import urlsplit

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
from pidgr.identity.sso.saml import LARGEST_RESPONSE, own_metadata
from pidgr.identity.sso.saml_names import CONSUMER_PATH, METADATA_PATH
from pidgr.identity.sso.sign_in import ATTEMPT_LIFETIME, Departure
from pidgr.identity.sso.ways import BrokenSignInError
from pidgr.rpc import metrics
from pidgr.rpc.client_pages import client_visit
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.html_pages import BrokenPageError, html_page
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limits
from pidgr.rpc.plain_http import client_of, read_form
from pidgr.rpc.sign_in_steps import SignInSteps
from pidgr.rpc.sso_texts import ROWS
from pidgr.system import System

_DOOR: Final = "auth/sso"
_COOKIE: Final = "pidgr_sso"
_PLAIN: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}

log = structlog.get_logger("pidgr.rpc")

Step = Callable[[Request], Awaitable[Response]]


def sso_sign_in_doors(system: System, limits: Limits, steps: SignInSteps) -> list[BaseRoute]:
    """Return the routes."""
    doors = _Doors(system, steps)

    def guarded(step: Step) -> Step:
        async def endpoint(request: Request) -> Response:
            try:
                await limits.sign_in.take(client_of(request))
                response = await step(request)
            except (BrokenPageError, BrokenSignInError, InvalidArgumentError):
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
        Route(CONSUMER_PATH, guarded(doors.consume), methods=["POST"]),
        Route(METADATA_PATH, guarded(doors.metadata), methods=["GET"]),
    ]


class _Doors:
    def __init__(self, system: System, steps: SignInSteps) -> None:
        self._steps = steps
        self._sign_in = system.sso_sign_in
        self._home = system.settings.home_url
        self._issuer = system.settings.issuer
        issuer = urlsplit(system.settings.issuer)
        self._secure = issuer.scheme == "https"
        self._path = issuer.path.rstrip("/") + "/auth/sso"

    async def start(self, request: Request) -> Response:
        """Send a browser to its provider."""
        query = request.query_params
        given = query.get("visit", "")
        visit = self._steps.visit(given) if given else client_visit(request, self._home)
        if not self._steps.takes_provider(visit):
            raise BrokenPageError
        departure = await self._sign_in.depart(
            query.get("email", ""),
            self._steps.seal(visit),
            request.cookies.get(_COOKIE, ""),
            visit.max_age,
        )
        response = (
            _posting_page(request, departure)
            if departure.form
            else RedirectResponse(departure.url, 303, _PLAIN)
        )
        # A SAML provider's page posts to us, and with that browsers send no other cookies.
        across_sites = departure.type == SSOProviderType.SAML and self._secure
        response.set_cookie(
            _COOKIE,
            departure.browser,
            max_age=ATTEMPT_LIFETIME // SECOND,
            path=self._path,
            secure=self._secure,
            httponly=True,
            samesite="none" if across_sites else "lax",
        )
        return response

    async def callback(self, request: Request) -> Response:
        """Take it back from an OpenID provider."""
        answer = dict(request.query_params)
        return await self._arrive(request, SSOProviderType.OIDC, answer.get("state", ""), answer)

    async def consume(self, request: Request) -> Response:
        """Take it back from a SAML provider."""
        answer = dict(await read_form(request, LARGEST_RESPONSE))
        state = answer.get("RelayState", "")
        return await self._arrive(request, SSOProviderType.SAML, state, answer)

    async def metadata(self, _request: Request) -> Response:
        """Answer what a SAML provider is set up with."""
        content = own_metadata(self._issuer)
        return Response(content, media_type="application/samlmetadata+xml")

    async def _arrive(
        self, request: Request, type_: SSOProviderType, state: str, answer: Mapping[str, str]
    ) -> Response:
        """Go on to what the sign-in was for."""
        cookie = request.cookies.get(_COOKIE, "")
        arrived = await self._sign_in.arrive(type_, state, answer, cookie)
        return await self._steps.arrive(request, self._steps.visit(arrived.visit), arrived.proof)


def _posting_page(request: Request, departure: Departure) -> Response:
    """Return the page that posts to a provider which takes no other requests."""
    language, words = texts(ROWS, request.headers.get("accept-language", ""))
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in departure.form.items()
    )
    body = (
        f'<form method="post" action="{escape(departure.url)}">{fields}'
        f"<button>{words['go']}</button></form>"
    )
    # Where its own pages lead on to is the provider's to know.
    target = f"{urlsplit(departure.url).scheme}:"
    return html_page(language, words["go_title"], body, form_target=target)


def _page(request: Request, name: str, status: int) -> Response:
    language, words = texts(ROWS, request.headers.get("accept-language", ""))
    body = f'<p class="error" role="alert">{words[name]}</p>'
    return html_page(language, words["title"], body, status)
