"""Where an invite link leads: say who you are by a code sent by mail, and you are in.

``/join/TOKEN`` is one address for three steps, like the consent page: no cookie, no script.
"""

import html
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import quote, urlsplit

import structlog
from connectrpc.request import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pidgr.directory.invite_links import PATH
from pidgr.errors import (
    AlreadyExistsError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    ResourceExhaustedError,
    UnauthenticatedError,
    Violations,
)
from pidgr.identity import identity_store
from pidgr.identity.caller import Caller
from pidgr.rpc import metrics
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.html_pages import BrokenPageError, SealedFields, html_page
from pidgr.rpc.join_texts import ROWS
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limiter
from pidgr.rpc.plain_http import client_of, read_form
from pidgr.storage.transaction import Transaction
from pidgr.system import System
from pidgr.validation import check_email

_DOOR: Final = PATH[1:]

log = structlog.get_logger("pidgr.rpc")


def join_pages(system: System, limiter: Limiter) -> list[BaseRoute]:
    """Return the routes."""
    pages = _JoinPages(system)

    def guarded(
        step: Callable[[Request, "_Visit"], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            visit = _Visit(request)
            try:
                await limiter.take(client_of(request))
                response = await step(request, visit)
            except (BrokenPageError, InvalidArgumentError, NotFoundError):
                response = visit.page(visit.problem("broken"), 404)
            except ResourceExhaustedError as error:
                response = visit.page(visit.problem("later"), 429)
                to_connect_error(error, headers := Headers())
                response.headers.update(headers)
            metrics.REQUESTS.labels(_DOOR, str(response.status_code)).inc()
            log.info("http", door=_DOOR, status=response.status_code)
            return response

        return endpoint

    path = f"{PATH}/{{token}}"
    return [
        Route(path, guarded(pages.show), methods=["GET"]),
        Route(path, guarded(pages.answer), methods=["POST"]),
    ]


class _Visit:
    """One request: its token, and what the page says in the reader's language."""

    def __init__(self, request: Request) -> None:
        self.token: str = request.path_params["token"]
        self.language, self.words = texts(ROWS, request.headers.get("accept-language", ""))

    def filled(self, name: str, organization: str) -> str:
        return self.words[name].format(organization=f"<strong>{html.escape(organization)}</strong>")

    def problem(self, name: str, organization: str = "") -> str:
        return f'<p class="error" role="alert">{self.filled(name, organization)}</p>'

    def page(self, body: str, status: int = 200) -> Response:
        return html_page(self.language, self.words["title"], body, status)


class _JoinPages:
    def __init__(self, system: System) -> None:
        self._system = system
        self._links = system.invite_links
        self._seals = SealedFields(system.master_key, "join-page", system.clock)
        settings = system.settings
        self._action = urlsplit(settings.issuer).path.rstrip("/") + PATH
        self._home = settings.sign_in_url

    async def show(self, _request: Request, visit: _Visit) -> Response:
        """Say where the link leads and ask for an address."""
        return self._email_page(visit, await self._organization(visit))

    async def answer(self, request: Request, visit: _Visit) -> Response:
        """Take what the person has entered."""
        form = dict(await read_form(request))
        if "seal" in form:
            return await self._join(visit, form)
        return await self._send(visit, form)

    async def _organization(self, visit: _Visit) -> str:
        link = await self._system.database.read(
            lambda reader: self._links.look(reader, visit.token)
        )
        return link.organization_name

    async def _send(self, visit: _Visit, form: Mapping[str, str]) -> Response:
        email = form.get("email", "").strip()
        violations = Violations()
        check_email(violations, "email", email)
        if violations.found:
            return self._email_page(visit, await self._organization(visit), wrong=True)
        link = await self._system.database.write(
            lambda transaction: self._links.open_to(transaction, visit.token, email)
        )
        requested = await self._system.sign_in.request_code(email)
        return self._code_page(visit, link.organization_name, requested.attempt_id)

    async def _join(self, visit: _Visit, form: Mapping[str, str]) -> Response:
        attempt_id = self._seals.read(form["seal"])["attempt_id"]
        organization = await self._organization(visit)
        try:
            subject = await self._system.sign_in.prove(attempt_id, form.get("code", "").strip())
        except (InvalidArgumentError, UnauthenticatedError):
            return self._code_page(visit, organization, attempt_id, wrong=True)

        def redeem(transaction: Transaction) -> None:
            address = identity_store.address_of_subject(transaction, subject)
            caller = Caller(subject=subject, email=address)
            self._links.redeem(transaction, caller, visit.token)

        outcome = "joined"
        try:
            await self._system.database.write(redeem)
        except AlreadyExistsError:
            # Among them who was invited: proving the address has taken the invitation up.
            outcome = "already"
        except PermissionDeniedError:
            return visit.page(visit.problem("ended"), 403)
        home = ""
        if self._home:
            home = f'<p><a href="{html.escape(self._home)}">{visit.words["open"]}</a></p>'
        return visit.page(f'<p role="status">{visit.filled(outcome, organization)}</p>{home}')

    def _email_page(self, visit: _Visit, organization: str, *, wrong: bool = False) -> Response:
        return self._form(
            visit,
            f"<p>{visit.filled('intro', organization)}</p>"
            f'<label for="email">{visit.words["email"]}</label>'
            '<input id="email" name="email" type="email" autocomplete="email" required autofocus>',
            "send",
            wrong=wrong,
        )

    def _code_page(
        self, visit: _Visit, organization: str, attempt_id: str, *, wrong: bool = False
    ) -> Response:
        return self._form(
            visit,
            f"<p><strong>{html.escape(organization)}</strong></p>"
            f'<p role="status">{visit.words["sent"]}</p>'
            f"{self._seals.write({'attempt_id': attempt_id})}"
            f'<label for="code">{visit.words["code"]}</label>'
            '<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" '
            "required autofocus>",
            "join",
            wrong=wrong,
        )

    def _form(self, visit: _Visit, fields: str, button: str, *, wrong: bool) -> Response:
        problem = visit.problem("wrong") if wrong else ""
        action = html.escape(f"{self._action}/{quote(visit.token, safe='')}")
        return visit.page(
            f'{problem}<form method="post" action="{action}">{fields}'
            f"<p><button>{visit.words[button]}</button></p></form>"
        )
