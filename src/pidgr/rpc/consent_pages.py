"""Where a person allows an application: sign in, see what it asks for, answer.

No session is involved: each request leads through a sign-in of its own, which is what
``prompt=login`` and ``max_age=0`` ask for, and what that has found out is in a sealed field. So
nothing a foreign page can submit for anybody leads anywhere: only who has just signed in holds the
seal of the answer.
"""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.identity import identity_store, people
from pidgr.identity.identity_store import Membership
from pidgr.identity.oauth import client_store, scopes
from pidgr.identity.oauth import request as requests
from pidgr.identity.oauth.errors import OAuthError
from pidgr.identity.oauth.request import AuthorizationRequest
from pidgr.identity.proof import Proof
from pidgr.rpc.consent_texts import ROWS
from pidgr.rpc.html_pages import BrokenPageError, SealedFields, alert, guarded, html_page
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limits
from pidgr.rpc.oauth_doors import AUTHORIZE
from pidgr.rpc.plain_http import read_form
from pidgr.rpc.sign_in_steps import Destination, SignInSteps, Visit, proof_in, sealable
from pidgr.system import System

_NAME: Final = "consent"


@dataclass(frozen=True, slots=True)
class _Question:
    """A request whose client and address are known, and so may be answered by redirect."""

    query: str
    given: Mapping[str, str]
    request: AuthorizationRequest
    words: Mapping[str, str]
    language: str


def consent_pages(system: System, limits: Limits, steps: SignInSteps) -> list[BaseRoute]:
    """Return the routes."""
    pages = _ConsentPages(system, steps)
    steps.lead_to(Destination(_NAME, pages.ask, takes_provider=True))
    return [
        Route(AUTHORIZE, guarded(AUTHORIZE, limits.sign_in, pages.show, ROWS), methods=["GET"]),
        Route(AUTHORIZE, guarded(AUTHORIZE, limits.sign_in, pages.answer, ROWS), methods=["POST"]),
    ]


class _ConsentPages:
    def __init__(self, system: System, steps: SignInSteps) -> None:
        self._system = system
        self._steps = steps
        settings = system.settings
        base = settings.issuer.rstrip("/")
        self._seals = SealedFields(system.master_key, "consent-page", system.clock)
        self._resources = (base, *(one.rstrip("/") for one in settings.oauth_resources))

    async def show(self, request: Request) -> Response:
        """Take an application's request."""
        query = request.url.query
        question = await self._question(request, query)
        if isinstance(question, Response):
            return question
        return self._steps.begin(
            request,
            Visit(
                _NAME,
                _filled(question, "intro"),
                {"query": query},
                max_age=question.request.max_age,
            ),
        )

    async def ask(self, request: Request, kept: Mapping[str, str], proof: Proof) -> Response:
        """Ask who has signed in."""
        question = await self._question(request, kept["query"])
        if isinstance(question, Response):
            return question
        now = self._system.clock.now()
        joined = await self._system.database.read(
            lambda reader: identity_store.memberships(reader, proof.subject, now)
        )
        choices = [
            one
            for one in joined
            if people.accepts(one, proof.method)
            and proof.organization_key in {None, one.organization_key}
        ]
        if not choices:
            return self._page(question, alert(question.words["none"]))
        return self._consent_page(question, proof, choices)

    async def answer(self, request: Request) -> Response:
        """Take the person's answer."""
        form = dict(await read_form(request))
        sealed = self._seals.read(form.get("seal", ""))
        question = await self._question(request, sealed["query"])
        if isinstance(question, Response):
            return question
        return await self._decide(question, proof_in(sealed), form)

    async def _question(self, request: Request, query: str) -> _Question | Response:
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
        return _Question(query, given, asked, words, language)

    async def _decide(self, question: _Question, proof: Proof, form: Mapping[str, str]) -> Response:
        target = question.request.redirect_uri
        if form.get("decision") != "allow":
            return self._back(
                target,
                question.given,
                error="access_denied",
                error_description="the person said no",
            )
        organization_id = form.get("organization_id", "")
        try:
            code = await self._system.database.write(
                lambda transaction: self._system.grants.allow(
                    transaction, proof, organization_id, question.request
                )
            )
        except OAuthError as error:
            return self._back(
                target, question.given, error=error.code, error_description=error.description
            )
        return self._back(target, question.given, code=code)

    def _back(self, target: str, given: Mapping[str, str], **fields: str) -> Response:
        if "state" in given:
            fields["state"] = given["state"]
        fields["iss"] = self._system.settings.issuer
        glue = "&" if "?" in target else "?"
        headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
        return RedirectResponse(target + glue + urlencode(fields), 303, headers)

    def _consent_page(
        self, question: _Question, proof: Proof, choices: list[Membership]
    ) -> Response:
        seal = self._seals.write({"query": question.query, **sealable(proof)})
        wanted = "".join(
            f"<li>{question.words[name]}</li>"
            for name in scopes.SCOPES
            if name in question.request.scopes
        )
        options = "".join(
            f'<option value="{one.organization_id}">{html.escape(one.organization_name)}</option>'
            for one in choices
        )
        return self._page(
            question,
            f"<p>{_filled(question, 'asks')}</p><ul>{wanted}</ul>"
            f'<form method="post" action="{self._steps.path(AUTHORIZE)}">{seal}'
            f'<label for="organization">{question.words["organization"]}</label>'
            f'<select id="organization" name="organization_id">{options}</select>'
            f"<p>{_filled(question, 'answer_to')}</p>"
            f'<p><button id="allow" name="decision" value="allow">{question.words["allow"]}'
            f'</button> <button id="deny" name="decision" value="deny">{question.words["deny"]}'
            "</button></p></form>",
        )

    def _page(self, question: _Question, body: str) -> Response:
        # Chromium holds the redirect that answers a form against form-action too, and the policy's
        # grammar has no IPv6 addresses.
        parts = urlsplit(question.request.redirect_uri)
        plain = parts.scheme in {"http", "https"} and "[" not in parts.netloc
        target = f"{parts.scheme}://{parts.netloc}" if plain else f"{parts.scheme}:"
        return html_page(question.language, question.words["title"], body, 200, target)


def _filled(question: _Question, name: str) -> str:
    return question.words[name].format(
        client=f"<strong>{html.escape(question.request.client.name)}</strong>",
        target=f"<strong>{html.escape(urlsplit(question.request.redirect_uri).netloc)}</strong>",
    )
