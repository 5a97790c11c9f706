"""Where the short link of a nudge leads: ``/c/CODE?t=TOKEN`` goes on to the inbox.

The token says who was nudged and signs nobody in, so it is handed on unread; the client asks
TokenService what it is worth.
"""

import re
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.campaigns import link_store
from pidgr.campaigns.link_store import Signpost
from pidgr.campaigns.short_codes import CODE_PARAMETER, PATH, SHORT_CODE, TOKEN_PARAMETER
from pidgr.rpc.html_pages import alert, guarded, html_page
from pidgr.rpc.languages import texts
from pidgr.rpc.limits import Limiter
from pidgr.rpc.link_texts import ROWS
from pidgr.system import System

_TOKEN: Final = re.compile(r"[0-9A-Za-z_-]{1,200}")


def link_pages(system: System, limiter: Limiter) -> list[BaseRoute]:
    """Return the route."""
    inbox = system.settings.home_url

    async def find(code: str) -> Signpost | None:
        if SHORT_CODE.fullmatch(code) is None:
            return None
        now = system.clock.now()
        return await system.database.read(lambda reader: link_store.signpost(reader, code, now))

    async def show(request: Request) -> Response:
        code = request.path_params["code"]
        if await find(code) is not None:
            return _onward(inbox, code, request.query_params.get(TOKEN_PARAMETER, ""))
        language, words = texts(ROWS, request.headers.get("accept-language", ""))
        return html_page(language, words["title"], alert(words["broken"]), 404)

    return [Route(f"{PATH}/{{code}}", guarded(PATH, limiter, show, ROWS), methods=["GET"])]


def _onward(inbox: str, code: str, token: str) -> Response:
    """Redirect to the inbox with code and token behind whatever its address asks for."""
    query = [*parse_qsl(urlsplit(inbox).query, keep_blank_values=True), (CODE_PARAMETER, code)]
    if _TOKEN.fullmatch(token):
        query.append((TOKEN_PARAMETER, token))
    return RedirectResponse(
        urlsplit(inbox)._replace(query=urlencode(query)).geturl(),
        303,
        {"cache-control": "no-store", "referrer-policy": "no-referrer"},
    )
