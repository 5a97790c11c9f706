"""What the server's few HTML pages share: one look, one set of headers, and sealed fields.

No page runs a script or needs a cookie for its next step: what one step has found out goes to the
next in a hidden field that only the server can read and write.
"""

import base64
import binascii
import json
from typing import Final

from starlette.responses import HTMLResponse, Response

from pidgr.clock import MINUTE, Clock
from pidgr.secrets import MasterKey, MasterKeyError

_LIFETIME: Final = 10 * MINUTE
_STYLE: Final = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:2rem auto;padding:0 1rem;"
    "color:#111;background:#fff}input,select,button{font:inherit;padding:.5rem;margin:.25rem 0}"
    "label{display:block}.error{color:#a00000}"
)
_STYLE_SOURCE: Final = "'unsafe-inline'"


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
        dated = {**values, "until": str(self._clock.now() + _LIFETIME)}
        sealed = self._master_key.seal(self._purpose, json.dumps(dated).encode())
        text = base64.urlsafe_b64encode(sealed).decode()
        return f'<input type="hidden" name="seal" value="{text}">'

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
        return values


def html_page(
    language: str, title: str, body: str, status: int = 200, form_target: str = ""
) -> Response:
    """Return a page whose title is its heading too.

    Args:
        language: of all of it.
        title: plain text without markup.
        body: HTML.
        status: of the response.
        form_target: where the answer to a form may redirect, beside this server.
    """
    policy = (
        f"default-src 'none'; style-src {_STYLE_SOURCE}; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {form_target}"
    )
    return HTMLResponse(
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title} · Pidgr</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1>{body}</main></body></html>",
        status,
        {
            "cache-control": "no-store",
            "content-security-policy": policy,
            "x-frame-options": "DENY",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "content-language": language,
        },
    )
