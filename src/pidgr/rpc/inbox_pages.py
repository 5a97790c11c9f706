"""Where employees read and confirm: ``/inbox``, and the files it is made of.

They are bundled of ``web/inbox`` by ``make inbox`` (docs/decisions/0027-the-inbox-is-built.md); a
server that has none says so. Where PIDGR_SIGN_IN_URL names another client, the address leads there.
"""

import gzip
import hashlib
import html
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.rpc.html_pages import guarded, html_page, page_headers
from pidgr.rpc.inbox_texts import ROWS
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limits
from pidgr.settings import INBOX, Settings

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "worker-src 'self'; img-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types dompurify pidgr-worker"
)
_MEDIA_TYPES: Final = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
BUNDLE: Final = resources.files("pidgr.rpc").joinpath("assets", "inbox")
_SCRIPT: Final = "inbox.js"
_STYLE: Final = "style.css"
_ICON: Final = "icon.svg"
_APP: Final = "app.webmanifest"
# Named by what is in them (web/build.mjs).
_PART: Final = "part-"
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    packed: bytes
    media_type: str
    version: str

    @classmethod
    def of(cls, path: Traversable) -> "_File":
        content = path.read_bytes()
        media_type = _MEDIA_TYPES[path.name[path.name.rindex(".") :]]
        return cls(content, gzip.compress(content), media_type, _digest(content))


def inbox_pages(
    settings: Settings, limits: Limits, directory: Traversable = BUNDLE
) -> list[BaseRoute]:
    """Return the routes; the directory has the files, or does not exist."""
    home, ours = settings.home_url, settings.inbox_url
    if home != ours:

        async def onward(_request: Request) -> Response:
            return RedirectResponse(home, 303, {"cache-control": "no-store"})

        return [Route(INBOX, guarded(INBOX, limits.documents, onward, ROWS), methods=["GET"])]
    has_bot = bool(settings.telegram_bot_token.get_secret_value())
    pages = _InboxPages(_files(directory), ours, has_bot=has_bot)
    return [
        Route(INBOX, guarded(INBOX, limits.documents, pages.show, ROWS), methods=["GET"]),
        # Unlimited: a whole office may come by one address, and the page is nothing without them.
        Route(f"{INBOX}/{{name}}", pages.file, methods=["GET"]),
    ]


class _InboxPages:
    def __init__(self, files: dict[str, _File], address: str, *, has_bot: bool) -> None:
        self._files = files
        self._home = html.escape(address)
        self._path = urlsplit(address).path
        # What the script cannot ask without an error in the browser's log.
        self._facts = " data-telegram" if has_bot else ""

    async def show(self, request: Request) -> Response:
        """Show the page that the script fills."""
        language, words = texts(ROWS, request.headers.get("accept-language", ""))
        if not self._files:
            said = words["missing"].format(command="<code>make inbox</code>")
            return html_page(language, words["title"], f'<p class="error">{said}</p>', 503)
        return HTMLResponse(
            f'<!doctype html><html lang="{language}"{self._facts}><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{words['title']} · Pidgr</title>"
            f'<link rel="canonical" href="{self._home}">'
            f'<link rel="icon" href="{self._address(_ICON)}">'
            f'<link rel="manifest" href="{self._address(_APP)}">'
            f'<link rel="stylesheet" href="{self._address(_STYLE)}">'
            f'<script type="module" src="{self._address(_SCRIPT)}"></script></head>'
            f"<body><noscript>{words['script']}</noscript></body></html>",
            headers=page_headers(language, _POLICY),
        )

    def _address(self, name: str) -> str:
        """Return where a version of a file is: it never changes, so browsers need not ask again."""
        return html.escape(f"{self._path}/{name}?v={self._files[name].version}")

    async def file(self, request: Request) -> Response:
        """Answer one of the files."""
        name = request.path_params["name"]
        found = self._files.get(name)
        if found is None:
            return Response(status_code=404)
        # While servers are updated one after another, one may be asked for what only another has.
        is_asked = request.query_params.get("v") == found.version or name.startswith(_PART)
        headers = {
            "cache-control": _FOR_EVER if is_asked else "no-cache",
            "x-content-type-options": "nosniff",
            "vary": "accept-encoding",
            # Of the service worker: it serves the page itself too, not only what is under it.
            "service-worker-allowed": self._path,
        }
        content = found.content
        if "gzip" in request.headers.get("accept-encoding", ""):
            content, headers["content-encoding"] = found.packed, "gzip"
        return Response(content, media_type=found.media_type, headers=headers)


def _files(directory: Traversable) -> dict[str, _File]:
    if not directory.is_dir():
        return {}
    return {path.name: _File.of(path) for path in directory.iterdir()}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
