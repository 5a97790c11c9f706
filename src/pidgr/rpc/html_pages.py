"""What the server's few HTML pages share: one look, one set of headers, and sealed fields.

No page keeps a session: what one step has found out goes to the next in a hidden field that only
the server can read and write (docs/decisions/0017-consent-without-a-cookie.md). The only script is
what passkeys need, from a file; nothing in a page is executed or styled that is not named in its
policy.
"""

import base64
import binascii
import hashlib
import html
import json
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from connectrpc.request import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from pidgr.clock import MINUTE, Clock
from pidgr.errors import InvalidArgumentError, ResourceExhaustedError
from pidgr.rpc import metrics
from pidgr.rpc.error_mapping import to_connect_error
from pidgr.rpc.languages import Rows, texts
from pidgr.rpc.limits import Limiter
from pidgr.rpc.plain_http import client_of
from pidgr.secrets import MasterKey, MasterKeyError

_LIFETIME: Final = 10 * MINUTE
_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem;"
    "color:#111;background:#fff}input,select,button{font:inherit;padding:.5rem;margin:.25rem 0}"
    "label{display:block}.error{color:#a00000}li{margin:.5rem 0}"
)
_STYLE_SOURCE: Final = (
    f"'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
_SCRIPT_POLICY: Final = (
    "; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types"
)

log = structlog.get_logger("pidgr.rpc")

Step = Callable[[Request], Awaitable[Response]]


class BrokenPageError(Exception):
    """A step that does not follow from a page of ours, or that comes too late."""


class SealedFields:
    """Writes and reads hidden fields of one kind of page.

    Args:
        master_key: what they are sealed with.
        purpose: names the kind; fields of another one are not understood.
        clock: tells when a field is too old.
    """

    def __init__(self, master_key: MasterKey, purpose: str, clock: Clock) -> None:
        self._master_key = master_key
        self._purpose = purpose
        self._clock = clock

    def write(self, values: dict[str, str]) -> str:
        """Return the hidden field ``seal`` that carries values to the next step."""
        return f'<input type="hidden" name="seal" value="{self.text(values)}">'

    def text(self, values: dict[str, str]) -> str:
        """Return the content of such a field."""
        dated = {**values, "until": str(self._clock.now() + _LIFETIME)}
        sealed = self._master_key.seal(self._purpose, json.dumps(dated).encode())
        return base64.urlsafe_b64encode(sealed).decode()

    def read(self, text: str) -> dict[str, str]:
        """Return the values of a field.

        Raises:
            BrokenPageError: not written here, or more than ten minutes ago.
        """
        try:
            sealed = base64.b64decode(text, altchars=b"-_", validate=True)
            values: dict[str, str] = json.loads(self._master_key.unseal(self._purpose, sealed))
        except (binascii.Error, ValueError, MasterKeyError) as error:
            raise BrokenPageError from error
        if int(values["until"]) <= self._clock.now():
            raise BrokenPageError
        del values["until"]
        return values


def alert(text: str, *, hidden: bool = False) -> str:
    """Return a sentence of HTML about what went wrong, which screen readers say at once."""
    return f'<p class="error" role="alert"{" hidden" if hidden else ""}>{text}</p>'


def html_page(
    language: str,
    title: str,
    body: str,
    status: int = 200,
    form_target: str = "",
    script: str = "",
) -> Response:
    """Return a page whose title is its heading too.

    Args:
        language: of all of it.
        title: plain text without markup.
        body: HTML.
        status: of the response.
        form_target: where the answer to a form may redirect, beside this server.
        script: the path of a module of this server to run.
    """
    policy = (
        f"default-src 'none'; style-src {_STYLE_SOURCE}; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {form_target}{_SCRIPT_POLICY if script else ''}"
    )
    module = f'<script type="module" src="{html.escape(script)}"></script>' if script else ""
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · Pidgr</title><style>{_STYLE}</style>{module}</head>"
        f"<body><main><h1>{title}</h1>{body}</main></body></html>",
        status,
        page_headers(language, policy),
    )


def page_headers(language: str, policy: str) -> dict[str, str]:
    """Return the headers of a page in a language, with its content security policy."""
    return {
        "cache-control": "no-store",
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "content-language": language,
    }


def guarded(path: str, limiter: Limiter, step: Step, rows: Rows) -> Step:
    """Return the endpoint of a step: within the limit of each client address, and logged.

    Args:
        path: of the page.
        limiter: what it is counted by.
        step: makes the answer.
        rows: the page's texts, among them ``title``, ``broken`` and ``later``.
    """

    def trouble(request: Request, name: str, status: int) -> Response:
        language, words = texts(rows, request.headers.get("accept-language", ""))
        return html_page(language, words["title"], alert(words[name]), status)

    async def endpoint(request: Request) -> Response:
        try:
            await limiter.take(client_of(request))
            response = await step(request)
        except (BrokenPageError, InvalidArgumentError):
            response = trouble(request, "broken", 400)
        except ResourceExhaustedError as error:
            response = trouble(request, "later", 429)
            to_connect_error(error, headers := Headers())
            response.headers.update(headers)
        metrics.REQUESTS.labels(path[1:], str(response.status_code)).inc()
        log.info("http", door=path[1:], status=response.status_code)
        return response

    return endpoint
