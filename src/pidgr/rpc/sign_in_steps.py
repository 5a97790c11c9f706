"""The sign-in page: an address and a code, the organization's provider, or a passkey.

It leads on to another page and nowhere else: which one, and what that has to know, travels from
step to step in a sealed field, beginning with the first. So there is no session, no cookie that a
foreign page could ride on, and no address to be redirected to that a visitor could choose. Answers
are the same whether or not anybody has an address; that a domain has a provider is public
(SSOService.CheckSSOByDomain).
"""

import html
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pidgr.errors import (
    InvalidArgumentError,
    UnauthenticatedError,
    Violations,
)
from pidgr.identity.proof import Proof
from pidgr.identity.sign_in_method import OTP, PASSKEY
from pidgr.identity.sso import domains
from pidgr.identity.sso.service import usable_provider
from pidgr.rpc.html_pages import BrokenPageError, SealedFields, alert, guarded, html_page
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limits
from pidgr.rpc.plain_http import limited, read_form
from pidgr.rpc.sign_in_texts import ROWS
from pidgr.system import System
from pidgr.validation import check_email

SIGN_IN: Final = "/sign-in"
SCRIPT: Final = "/assets/passkeys.js"
_OPTIONS: Final = "/auth/passkey/sign-in/options"
_START: Final = "/auth/sso/start"
_SCRIPT_HEADERS: Final = {
    "cache-control": "public, max-age=300",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Destination:
    """A page that wants to know who is there.

    Args:
        name: what seals call it.
        welcome: makes the page, of what was kept for it and the proof.
        takes_provider: whether the word of an organization's provider is enough there.
        takes_in: lets an address be proved that nobody knows yet, of what was kept for the page
            and the address; so there is no asking which provider knows it either. Raises
            BrokenPageError.
    """

    name: str
    welcome: Callable[[Request, Mapping[str, str], Proof], Awaitable[Response]]
    takes_provider: bool
    takes_in: Callable[[Mapping[str, str], str], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a sign-in leads; all of it is in the seal.

    Args:
        to: the destination's name.
        intro: HTML that says what the sign-in is for.
        kept: what the destination wants back.
        form_target: the origin of another server that the destination redirects to.
        max_age: by how many seconds a provider may have seen the person sign in before; None for
            any. All other sign-ins begin here.
    """

    to: str
    intro: str
    kept: Mapping[str, str]
    form_target: str = ""
    max_age: int | None = None


class SignInSteps:
    """Shows the steps, and the destination after the last."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._seals = SealedFields(system.master_key, "sign-in-page", system.clock)
        self._destinations: dict[str, Destination] = {}
        self._base = urlsplit(system.settings.issuer).path.rstrip("/")

    def lead_to(self, destination: Destination) -> None:
        """Let sign-ins begin for a destination."""
        self._destinations[destination.name] = destination

    def begin(self, request: Request, visit: Visit, problem: str = "") -> Response:
        """Return the first step, with a sentence about what was wrong before if there was."""
        return _Step(self, request, visit).address(problem)

    async def answer(self, request: Request) -> Response:
        """Take what the person has entered, or their device has answered."""
        form = dict(await read_form(request))
        step = _Step(self, request, self.visit(form.get("seal", "")))
        if "credential" in form:
            return await self._by_passkey(step, form["credential"])
        if "code" in form:
            return await self._by_code(step, form)
        return await self._by_address(step, form)

    def visit(self, sealed: str) -> Visit:
        """Return where a seal of one of the steps leads.

        Raises:
            BrokenPageError: no such seal, or an old one.
        """
        kept = self._seals.read(sealed)
        # A seal of a process before an upgrade has none.
        max_age = kept.pop("max_age", "")
        return Visit(
            kept.pop("to"),
            kept.pop("intro"),
            kept,
            kept.pop("form_target"),
            int(max_age) if max_age else None,
        )

    def seal(self, visit: Visit) -> str:
        """Return what :meth:`visit` reads."""
        step = {
            "to": visit.to,
            "intro": visit.intro,
            "form_target": visit.form_target,
            "max_age": "" if visit.max_age is None else str(visit.max_age),
        }
        return self._seals.text({**visit.kept, **step})

    async def arrive(self, request: Request, visit: Visit, proof: Proof) -> Response:
        """Show the destination to who has proved who they are.

        Raises:
            BrokenPageError: such a proof is none there.
        """
        destination = self._destinations[visit.to]
        if proof.organization_key is not None and not destination.takes_provider:
            raise BrokenPageError
        return await destination.welcome(request, visit.kept, proof)

    async def _by_address(self, step: "_Step", form: Mapping[str, str]) -> Response:
        email = form.get("email", "").strip()
        violations = Violations()
        check_email(violations, "email", email)
        if violations.found:
            return step.address("wrong")
        takes_in = self._destinations[step.visit.to].takes_in
        if takes_in is not None:
            await takes_in(step.visit.kept, email)
        elif "instead" not in form:
            now = self._system.clock.now()
            provider = await self._system.database.read(
                lambda reader: usable_provider(reader, email, now)
            )
            if provider is not None:
                return step.provider(email)
        requested = await self._system.sign_in.request_code(email)
        return step.code(requested.attempt_id)

    async def _by_code(self, step: "_Step", form: Mapping[str, str]) -> Response:
        attempt_id = form.get("attempt_id", "")
        try:
            subject = await self._system.sign_in.prove(attempt_id, form["code"].strip())
        except (InvalidArgumentError, UnauthenticatedError):
            return step.code(attempt_id, wrong=True)
        return await self._proved(step, subject, OTP)

    async def _by_passkey(self, step: "_Step", text: str) -> Response:
        try:
            subject = await self._system.passkey_sign_in.prove(credential_in(text))
        except (InvalidArgumentError, UnauthenticatedError):
            return step.address("refused")
        return await self._proved(step, subject, PASSKEY)

    async def _proved(self, step: "_Step", subject: str, method: str) -> Response:
        proof = Proof(subject, method, self._system.clock.now())
        return await self.arrive(step.request, step.visit, proof)

    def takes_provider(self, visit: Visit) -> bool:
        """Tell whether an organization's provider is good enough for where a visit leads."""
        return self._destinations[visit.to].takes_provider

    def path(self, path: str) -> str:
        """Return a path of this server as browsers see it, for an attribute."""
        return html.escape(self._base + path)

    @property
    def passkeys(self) -> bool:
        """Whether this site can have passkeys."""
        return self._system.relying_party.has_host_name


class _Step:
    """Writes the pages of one request in the reader's language."""

    def __init__(self, steps: SignInSteps, request: Request, visit: Visit) -> None:
        self._steps = steps
        self.request = request
        self.visit = visit
        self._language, self._words = texts(ROWS, request.headers.get("accept-language", ""))

    def address(self, problem: str = "") -> Response:
        """Ask who is there; ``problem`` names a text, or is one."""
        words = self._words
        trouble = alert(words.get(problem, problem)) if problem else ""
        passkey = ""
        if self._steps.passkeys:
            passkey = (
                f'<form hidden data-passkey="get" method="post" '
                f'data-options-from="{self._steps.path(_OPTIONS)}" '
                f'action="{self._steps.path(SIGN_IN)}">{self._seal()}'
                '<input type="hidden" name="credential">'
                f"{alert(words['no_passkey'], hidden=True)}"
                f'<p><button id="passkey">{words["passkey"]}</button></p></form>'
            )
        form = self._form(
            f'<label for="email">{words["email"]}</label>'
            '<input id="email" name="email" type="email" autocomplete="username" required '
            "autofocus>"
        )
        return self._page(f"{trouble}<p>{self.visit.intro}</p>{form}{passkey}")

    def code(self, attempt_id: str, *, wrong: bool = False) -> Response:
        """Ask for the code of the mail."""
        trouble = alert(self._words["wrong"]) if wrong else ""
        form = self._form(
            f'<input type="hidden" name="attempt_id" value="{html.escape(attempt_id)}">'
            f'<label for="code">{self._words["code"]}</label>'
            '<input id="code" name="code" inputmode="numeric" autocomplete="one-time-code" '
            "required autofocus>"
        )
        return self._page(f'{trouble}<p role="status">{self._words["sent"]}</p>{form}')

    def provider(self, email: str) -> Response:
        """Name the way that the organization of the address's domain wants."""
        domain = f"<strong>{html.escape(domains.of_address(email) or '')}</strong>"
        onward = ""
        if self._steps.takes_provider(self.visit):
            query = urlencode({"email": email, "visit": self._steps.seal(self.visit)})
            onward = (
                f'<p><a id="provider" autofocus href="{self._steps.path(_START)}?'
                f'{html.escape(query)}">{self._words["to_provider"]}</a></p>'
            )
        said = self._words["by_provider" if onward else "no_provider"].format(domain=domain)
        form = self._form(
            f'<input type="hidden" name="email" value="{html.escape(email)}">'
            '<input type="hidden" name="instead" value="code">',
            "code_instead",
        )
        return self._page(f"<p>{said}</p>{onward}{form}")

    def _form(self, fields: str, button: str = "next") -> str:
        return (
            f'<form method="post" action="{self._steps.path(SIGN_IN)}">{self._seal()}{fields}'
            f"<p><button>{self._words[button]}</button></p></form>"
        )

    def _seal(self) -> str:
        return f'<input type="hidden" name="seal" value="{self._steps.seal(self.visit)}">'

    def _page(self, body: str) -> Response:
        script = self._steps.path(SCRIPT) if self._steps.passkeys else ""
        title, target = self._words["title"], self.visit.form_target
        return html_page(self._language, title, body, form_target=target, script=script)


def sign_in_pages(steps: SignInSteps, limits: Limits) -> list[BaseRoute]:
    """Return the routes: the steps, and the script of every page with passkeys."""
    script = resources.files("pidgr.rpc").joinpath("assets", "passkeys.js").read_bytes()

    async def asset(_request: Request) -> Response:
        return Response(script, media_type="text/javascript", headers=_SCRIPT_HEADERS)

    return [
        Route(SIGN_IN, guarded(SIGN_IN, limits.sign_in, steps.answer, ROWS), methods=["POST"]),
        Route(SCRIPT, limited(limits.documents, asset), methods=["GET"]),
    ]


def credential_in(text: str) -> dict[str, Any]:
    """Return what a device has answered, as the form carries it.

    Raises:
        InvalidArgumentError: not a JSON object.
    """
    try:
        credential = json.loads(text)
    except (ValueError, RecursionError):
        credential = None
    if not isinstance(credential, dict):
        raise InvalidArgumentError("the credential is not a JSON object")
    return credential


def sealable(proof: Proof) -> dict[str, str]:
    """Return what :func:`proof_in` reads, for a sealed field."""
    bound = proof.organization_key
    return {
        "subject": proof.subject,
        "method": proof.method,
        "at": str(proof.authenticated_at),
        "organization_key": "" if bound is None else str(bound),
    }


def proof_in(sealed: Mapping[str, str]) -> Proof:
    """Return the proof in a sealed field."""
    bound = sealed["organization_key"]
    return Proof(
        sealed["subject"], sealed["method"], int(sealed["at"]), int(bound) if bound else None
    )
