"""Where a person looks after their passkeys: sign in, then see, add and remove them.

``/passkeys`` leads through a sign-in of its own, and what follows from it lasts as long as
making and removing a key may (five minutes, as for the doors ``/auth/passkey``). A provider's word
is not enough: a passkey opens every organization of a person.
"""

import html
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.clock import MINUTE, SECOND
from pidgr.directory import passkey_notices
from pidgr.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
)
from pidgr.identity.passkeys.enrolment import NAME_LENGTH
from pidgr.identity.passkeys.passkey_store import Passkey
from pidgr.identity.proof import Proof
from pidgr.rpc.html_pages import SealedFields, alert, guarded, html_page
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limits
from pidgr.rpc.passkey_texts import ROWS
from pidgr.rpc.plain_http import limited, read_form
from pidgr.rpc.sign_in_steps import (
    SCRIPT,
    Destination,
    SignInSteps,
    Visit,
    credential_in,
    proof_in,
    sealable,
)
from pidgr.system import System

PASSKEYS: Final = "/passkeys"
# https://www.w3.org/TR/passkey-endpoints/
_ENDPOINTS: Final = "/.well-known/passkey-endpoints"
DESTINATION: Final = "passkeys"
"""What :class:`SignInSteps` calls this page."""
_LIFETIME: Final = 5 * MINUTE


def passkey_pages(system: System, limits: Limits, steps: SignInSteps) -> list[BaseRoute]:
    """Return the routes."""
    pages = _PasskeyPages(system, steps)
    steps.lead_to(Destination(DESTINATION, pages.show, takes_provider=False))
    address = system.settings.issuer.rstrip("/") + PASSKEYS

    async def endpoints(_request: Request) -> Response:
        return JSONResponse({"enroll": address, "manage": address})

    return [
        Route(PASSKEYS, guarded(PASSKEYS, limits.sign_in, pages.begin, ROWS), methods=["GET"]),
        Route(PASSKEYS, guarded(PASSKEYS, limits.sign_in, pages.answer, ROWS), methods=["POST"]),
        Route(_ENDPOINTS, limited(limits.documents, endpoints), methods=["GET"]),
    ]


class _PasskeyPages:
    def __init__(self, system: System, steps: SignInSteps) -> None:
        self._system = system
        self._passkeys = system.passkeys
        self._steps = steps
        self._seals = SealedFields(system.master_key, "passkey-page", system.clock)

    async def begin(self, request: Request) -> Response:
        """Let the person sign in."""
        return self._begin(request)

    def _begin(self, request: Request, problem: str = "") -> Response:
        _, words = texts(ROWS, request.headers.get("accept-language", ""))
        visit = Visit(DESTINATION, words["intro"], {})
        return self._steps.begin(request, visit, words[problem] if problem else "")

    async def show(self, request: Request, _kept: Mapping[str, str], proof: Proof) -> Response:
        """Show the keys of who has signed in."""
        try:
            await self._passkeys.require_change(proof.subject, proof.method)
        except PermissionDeniedError:
            return self._begin(request, "by_passkey")
        page = _Page(request, proof)
        needed = await self._passkeys.needs_first(proof.subject, proof.method)
        return await self._list(page, f"<p>{page.words['needed']}</p>" if needed else "")

    async def answer(self, request: Request) -> Response:
        """Do what the person has asked for."""
        form = dict(await read_form(request))
        proof = proof_in(self._seals.read(form.get("seal", "")))
        if self._system.clock.now() - proof.authenticated_at >= _LIFETIME:
            return self._begin(request, "again")
        page = _Page(request, proof)
        try:
            if "credential" in form:
                return await self._add(page, form)
            if "revoke" in form:
                return await self._revoke(page, form["revoke"])
            return await self._prepare(page)
        except PermissionDeniedError:
            return self._begin(request, "by_passkey")

    async def _prepare(self, page: "_Page") -> Response:
        """Show the form that makes a key; its options are good for one answer."""
        try:
            options = await self._passkeys.options(page.proof.subject, page.proof.method)
        except FailedPreconditionError:
            return await self._list(page, alert(page.words["most"]))
        words, given = page.words, html.escape(json.dumps(options))
        return self._page(
            page,
            f'<p data-without class="error">{words["without"]}</p>'
            f'<form hidden data-passkey="create" data-options="{given}"'
            f' method="post" action="{self._steps.path(PASSKEYS)}">{self._seal(page)}'
            '<input type="hidden" name="credential">'
            f'{alert(words["not_made"], hidden=True)}<label for="name">{words["name"]}</label>'
            f'<input id="name" name="name" maxlength="{NAME_LENGTH}" autofocus>'
            f"<p><button>{words['add']}</button></p></form>",
        )

    async def _add(self, page: "_Page", form: Mapping[str, str]) -> Response:
        subject, name = page.proof.subject, form.get("name", "")
        needed = await self._passkeys.needs_first(subject, page.proof.method)
        try:
            made = await self._passkeys.add(
                subject, page.proof.method, credential_in(form["credential"]), name
            )
        except (AlreadyExistsError, FailedPreconditionError, InvalidArgumentError):
            return await self._list(page, alert(page.words["refused"]))
        now = self._system.clock.now()
        await self._system.database.write(
            lambda transaction: passkey_notices.note_everywhere(transaction, subject, now)
        )
        said = page.words["added"].format(name=f"<strong>{html.escape(made.name)}</strong>")
        status = f'<p role="status">{said}</p>'
        # What has led here ends with the first key: everything else is opened by it.
        return self._onward(page, status) if needed else await self._list(page, status)

    def _onward(self, page: "_Page", said: str) -> Response:
        home = self._system.settings.home_url
        words = page.words["onward"].format(host=html.escape(urlsplit(home).netloc))
        return self._page(page, f'{said}<p><a href="{html.escape(home)}">{words}</a></p>')

    async def _revoke(self, page: "_Page", passkey_id: str) -> Response:
        try:
            await self._passkeys.revoke(page.proof.subject, page.proof.method, passkey_id)
        except NotFoundError:
            # Gone already, which is what was asked for; a foreign one is not told apart.
            return await self._list(page)
        return await self._list(page, f'<p role="status">{page.words["revoked"]}</p>')

    async def _list(self, page: "_Page", said: str = "") -> Response:
        found = await self._passkeys.passkeys(page.proof.subject)
        items = "".join(f"<li>{self._item(page, one)}</li>" for one in found)
        keys = f"<ul>{items}</ul>" if found else f"<p>{page.words['none']}</p>"
        add = f'<p class="error">{page.words["nameless"]}</p>'
        if self._steps.passkeys:
            add = self._form(page, f'<p><button id="add">{page.words["add"]}</button></p>')
        return self._page(page, f"{said}{keys}{add}")

    def _item(self, page: "_Page", passkey: Passkey) -> str:
        words, name = page.words, html.escape(passkey.name)
        used = passkey.last_used_at
        state = words["unused"] if used is None else words["used"].format(time=_time(used))
        if passkey.suspected_at is not None:
            state = f'<span class="error">{words["suspected"]}</span>'
        confirm = self._form(
            page,
            f'<button name="revoke" value="{html.escape(passkey.id)}">{words["confirm"]}</button>',
        )
        # Two steps without a script: what opens nothing any more cannot be brought back.
        return (
            f"<strong>{name}</strong>, {state}"
            f"<details><summary>{words['revoke'].format(name=name)}</summary>{confirm}</details>"
        )

    def _form(self, page: "_Page", fields: str) -> str:
        action = self._steps.path(PASSKEYS)
        return f'<form method="post" action="{action}">{self._seal(page)}{fields}</form>'

    def _seal(self, page: "_Page") -> str:
        return self._seals.write(sealable(page.proof))

    def _page(self, page: "_Page", body: str) -> Response:
        script = self._steps.path(SCRIPT)
        return html_page(page.language, page.words["title"], body, script=script)


class _Page:
    """Who has signed in, and what pages say in their language."""

    def __init__(self, request: Request, proof: Proof) -> None:
        self.proof = proof
        self.language, self.words = texts(ROWS, request.headers.get("accept-language", ""))


def _time(moment: int) -> str:
    when = datetime.fromtimestamp(moment // SECOND, UTC)
    return f'<time datetime="{when.isoformat()}">{when:%Y-%m-%d %H:%M} UTC</time>'
