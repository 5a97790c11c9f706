"""Where a person allows an application: sign in with a code, see what it asks for, answer.

``/oauth/authorize`` is one address for three steps. No cookie is involved: what one step has found
out goes to the next in a hidden field, sealed, so each request gets a sign-in of its own. That is
what ``prompt=login`` and ``max_age=0`` ask for, and nothing a foreign page can submit for anybody
leads anywhere: only who has just entered the code holds the second step's seal.
"""

import html
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

import structlog
from connectrpc.request import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.errors import (
    InvalidArgumentError,
    ResourceExhaustedError,
    UnauthenticatedError,
)
from pidgr.identity import identity_store, people
from pidgr.identity.identity_store import Membership
from pidgr.identity.oauth import client_store, scopes
from pidgr.identity.oauth import request as requests
from pidgr.identity.oauth.errors import OAuthError
from pidgr.identity.oauth.grants import Proof
from pidgr.identity.oauth.request import AuthorizationRequest
from pidgr.identity.sign_in_method import OTP
from pidgr.rpc import metrics
from pidgr.rpc.consent_texts import ROWS
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.html_pages import BrokenPageError, SealedFields, html_page
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limiter
from pidgr.rpc.oauth_doors import AUTHORIZE
from pidgr.rpc.plain_http import client_of, read_form
from pidgr.system import System

log = structlog.get_logger("pidgr.rpc")


@dataclass(frozen=True, slots=True)
class _Visit:
    """A request whose client and address are known, and so may be answered by redirect."""

    query: str
    given: Mapping[str, str]
    request: AuthorizationRequest
    words: Mapping[str, str]
    language: str


def consent_pages(system: System, limiter: Limiter) -> list[BaseRoute]:
    """Return the routes."""
    pages = _ConsentPages(system)

    def guarded(
        step: Callable[[Request], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                await limiter.take(client_of(request))
                response = await step(request)
            except (BrokenPageError, InvalidArgumentError):
                response = pages.broken(request, 400)
            except ResourceExhaustedError as error:
                response = pages.broken(request, 429)
                to_connect_error(error, headers := Headers())
                response.headers.update(headers)
            metrics.REQUESTS.labels(AUTHORIZE[1:], str(response.status_code)).inc()
            log.info("http", door=AUTHORIZE[1:], status=response.status_code)
            return response

        return endpoint

    return [
        Route(AUTHORIZE, guarded(pages.show), methods=["GET"]),
        Route(AUTHORIZE, guarded(pages.answer), methods=["POST"]),
    ]


class _ConsentPages:
    def __init__(self, system: System) -> None:
        self._system = system
        settings = system.settings
        base = settings.issuer.rstrip("/")
        self._seals = SealedFields(system.master_key, "consent-page", system.clock)
        self._resources = (base, *(one.rstrip("/") for one in settings.oauth_resources))

    async def show(self, request: Request) -> Response:
        """Take an application's request."""
        visit = await self._visit(request, request.url.query)
        return visit if isinstance(visit, Response) else self._email_page(visit)

    async def answer(self, request: Request) -> Response:
        """Take what the person has entered."""
        form = dict(await read_form(request))
        sealed = self._seals.read(form.get("seal", ""))
        visit = await self._visit(request, sealed["query"])
        if isinstance(visit, Response):
            return visit
        if "subject" in sealed:
            proof = Proof(sealed["subject"], OTP, int(sealed["at"]))
            return await self._decide(visit, proof, form)
        if "code" in form:
            return await self._prove(visit, form)
        return await self._send(visit, form)

    async def _visit(self, request: Request, query: str) -> _Visit | Response:
        language, words = texts(ROWS, request.headers.get("accept-language", ""))
        try:
            pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
            given = requests.single(pairs)
        except (ValueError, OAuthError) as error:
            raise BrokenPageError from error
        client_id, redirect_uri = given.get("client_id", ""), given.get("redirect_uri", "")
        client = await self._system.database.read(
            lambda reader: client_store.find(reader, client_id)
        )
        if client is None or not client.accepts(redirect_uri):
            raise BrokenPageError
        try:
            asked = requests.read(client, redirect_uri, given, self._resources)
        except OAuthError as error:
            return self._back(
                redirect_uri, given, error=error.code, error_description=error.description
            )
        return _Visit(query, given, asked, words, language)

    async def _send(self, visit: _Visit, form: Mapping[str, str]) -> Response:
        try:
            requested = await self._system.sign_in.request_code(form.get("email", ""))
        except InvalidArgumentError:
            return self._email_page(visit, wrong=True)
        return self._code_page(visit, requested.attempt_id)

    async def _prove(self, visit: _Visit, form: Mapping[str, str]) -> Response:
        attempt_id = form.get("attempt_id", "")
        try:
            subject = await self._system.sign_in.prove(attempt_id, form["code"].strip())
        except (InvalidArgumentError, UnauthenticatedError):
            return self._code_page(visit, attempt_id, wrong=True)
        now = self._system.clock.now()
        joined = await self._system.database.read(
            lambda reader: identity_store.memberships(reader, subject, now)
        )
        choices = [one for one in joined if people.accepts(one, OTP)]
        if not choices:
            return self._page(visit, f'<p class="error" role="alert">{visit.words["none"]}</p>')
        return self._consent_page(visit, subject, choices)

    async def _decide(self, visit: _Visit, proof: Proof, form: Mapping[str, str]) -> Response:
        target = visit.request.redirect_uri
        if form.get("decision") != "allow":
            return self._back(
                target, visit.given, error="access_denied", error_description="the person said no"
            )
        organization_id = form.get("organization_id", "")
        try:
            code = await self._system.database.write(
                lambda transaction: self._system.grants.allow(
                    transaction, proof, organization_id, visit.request
                )
            )
        except OAuthError as error:
            return self._back(
                target, visit.given, error=error.code, error_description=error.description
            )
        return self._back(target, visit.given, code=code)

    def _back(self, target: str, given: Mapping[str, str], **fields: str) -> Response:
        if "state" in given:
            fields["state"] = given["state"]
        fields["iss"] = self._system.settings.issuer
        glue = "&" if "?" in target else "?"
        headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
        return RedirectResponse(target + glue + urlencode(fields), 303, headers)

    def broken(self, request: Request, status: int) -> Response:
        """Say that nothing can be done here."""
        language, words = texts(ROWS, request.headers.get("accept-language", ""))
        body = f'<p class="error" role="alert">{words["broken"]}</p>'
        return html_page(language, words["title"], body, status, "")

    def _email_page(self, visit: _Visit, *, wrong: bool = False) -> Response:
        return self._step(
            visit,
            f"<p>{_filled(visit, 'intro')}</p>"
            f'<label for="email">{visit.words["email"]}</label>'
            '<input id="email" name="email" type="email" autocomplete="email" required autofocus>',
            "send",
            wrong=wrong,
        )

    def _code_page(self, visit: _Visit, attempt_id: str, *, wrong: bool = False) -> Response:
        return self._step(
            visit,
            f'<p role="status">{visit.words["sent"]}</p>'
            f'<input type="hidden" name="attempt_id" value="{html.escape(attempt_id)}">'
            f'<label for="code">{visit.words["code"]}</label>'
            '<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" '
            "required autofocus>",
            "next",
            wrong=wrong,
        )

    def _step(self, visit: _Visit, fields: str, button: str, *, wrong: bool) -> Response:
        seal = self._seals.write({"query": visit.query})
        problem = f'<p class="error" role="alert">{visit.words["wrong"]}</p>' if wrong else ""
        return self._page(
            visit,
            f'{problem}<form method="post" action="{self._action()}">{seal}{fields}'
            f"<p><button>{visit.words[button]}</button></p></form>",
        )

    def _consent_page(self, visit: _Visit, subject: str, choices: list[Membership]) -> Response:
        now = self._system.clock.now()
        seal = self._seals.write({"query": visit.query, "subject": subject, "at": str(now)})
        wanted = "".join(
            f"<li>{visit.words[name]}</li>"
            for name in scopes.SCOPES
            if name in visit.request.scopes
        )
        options = "".join(
            f'<option value="{one.organization_id}">{html.escape(one.organization_name)}</option>'
            for one in choices
        )
        return self._page(
            visit,
            f"<p>{_filled(visit, 'asks')}</p><ul>{wanted}</ul>"
            f'<form method="post" action="{self._action()}">{seal}'
            f'<label for="organization">{visit.words["organization"]}</label>'
            f'<select id="organization" name="organization_id">{options}</select>'
            f"<p>{_filled(visit, 'answer_to')}</p>"
            f'<p><button name="decision" value="allow">{visit.words["allow"]}</button> '
            f'<button name="decision" value="deny">{visit.words["deny"]}</button></p></form>',
        )

    def _action(self) -> str:
        return html.escape(urlsplit(self._system.settings.issuer).path.rstrip("/") + AUTHORIZE)

    def _page(self, visit: _Visit, body: str) -> Response:
        # Chromium holds the redirect that answers a form against form-action too, and the policy's
        # grammar has no IPv6 addresses.
        parts = urlsplit(visit.request.redirect_uri)
        plain = parts.scheme in {"http", "https"} and "[" not in parts.netloc
        target = f"{parts.scheme}://{parts.netloc}" if plain else f"{parts.scheme}:"
        return html_page(visit.language, visit.words["title"], body, 200, target)


def _filled(visit: _Visit, name: str) -> str:
    return visit.words[name].format(
        client=f"<strong>{html.escape(visit.request.client.name)}</strong>",
        target=f"<strong>{html.escape(urlsplit(visit.request.redirect_uri).netloc)}</strong>",
    )
