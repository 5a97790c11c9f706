"""Where clients send a browser to let somebody sign in, and fetch their tokens.

``GET /sign-in?code_challenge=`` leads through the sign-in page and on to PIDGR_SIGN_IN_URL, or to
our own inbox, with ``pidgr_code``; ``POST /auth/token`` with ``code, code_verifier`` answers
tokens. ``GET /auth/sso/start?email=&code_challenge=`` is the same for people whose provider the
client knows.
"""

import html
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.identity.challenges import is_challenge
from pidgr.identity.oauth.request import is_seconds
from pidgr.identity.proof import Proof
from pidgr.rpc.html_pages import BrokenPageError, guarded
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limits
from pidgr.rpc.passkey_pages import DESTINATION as PASSKEYS
from pidgr.rpc.plain_http import Answer, Fields, door
from pidgr.rpc.sign_in_doors import token_answer
from pidgr.rpc.sign_in_steps import SIGN_IN, Destination, SignInSteps, Visit
from pidgr.rpc.sign_in_texts import ROWS
from pidgr.system import System

_NAME: Final = "client"
_CHALLENGE: Final = "code_challenge"
_TOKEN: Final = "auth/token"  # noqa: S105 - a path
_PLAIN: Final = {"cache-control": "no-store", "referrer-policy": "no-referrer"}


def client_pages(system: System, limits: Limits, steps: SignInSteps) -> list[BaseRoute]:
    """Return the routes."""
    pages = _ClientPages(system, steps)
    steps.lead_to(Destination(_NAME, pages.welcome, takes_provider=True))
    return [
        Route(SIGN_IN, guarded(SIGN_IN, limits.sign_in, pages.begin, ROWS), methods=["GET"]),
        Route(f"/{_TOKEN}", door(_TOKEN, limits.sign_in, pages.token), methods=["POST"]),
    ]


def client_visit(request: Request, home: str) -> Visit:
    """Return a visit that leads to the client, for a request with its challenge.

    Raises:
        BrokenPageError: there is no challenge, or ``max_age`` is no number of seconds.
    """
    challenge = request.query_params.get(_CHALLENGE, "")
    if not is_challenge(challenge):
        raise BrokenPageError
    target = urlsplit(home)
    _, words = texts(ROWS, request.headers.get("accept-language", ""))
    intro = words["onward"].format(host=f"<strong>{html.escape(target.netloc)}</strong>")
    origin = f"{target.scheme}://{target.netloc}"
    return Visit(_NAME, intro, {_CHALLENGE: challenge}, origin, _max_age(request))


def _max_age(request: Request) -> int | None:
    given = request.query_params.get("max_age", "")
    if given and not is_seconds(given):
        raise BrokenPageError
    return int(given) if given else None


class _ClientPages:
    def __init__(self, system: System, steps: SignInSteps) -> None:
        self._arrivals = system.arrivals
        self._passkeys = system.passkeys
        self._home = system.settings.home_url
        self._steps = steps

    async def begin(self, request: Request) -> Response:
        """Let somebody sign in for the client."""
        return self._steps.begin(request, client_visit(request, self._home))

    async def welcome(self, request: Request, kept: Mapping[str, str], proof: Proof) -> Response:
        """Send who has signed in on to the client; who has to make a passkey first, to that."""
        if await self._passkeys.needs_first(proof.subject, proof.method):
            return await self._steps.arrive(request, Visit(PASSKEYS, "", {}), proof)
        code = await self._arrivals.announce(proof, kept[_CHALLENGE])
        glue = "&" if "?" in self._home else "?"
        target = f"{self._home}{glue}{urlencode({'pidgr_code': code})}"
        return RedirectResponse(target, 303, _PLAIN)

    async def token(self, request: Request) -> Answer:
        """Answer tokens."""
        fields = await Fields.of(request)
        return token_answer(
            await self._arrivals.tokens(fields.text("code"), fields.text("code_verifier"))
        )
