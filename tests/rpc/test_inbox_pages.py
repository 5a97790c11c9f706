"""The page around the inbox, and the files it is made of."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from pidgr.clock import ManualClock
from pidgr.rpc.inbox_pages import inbox_pages
from pidgr.rpc.limits import Limits, MemoryLimiter, Rate
from pidgr.settings import Settings

SCRIPT = "console.log('inbox');"
FILES = {
    "inbox.js": SCRIPT,
    "style.css": "a{}",
    "part-1.js": "",
    "icon.svg": "<svg/>",
    "app.webmanifest": "{}",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    return tmp_path


def get(bundle: Path, path: str, *, headers: Any = None, burst: int = 10, **settings: Any) -> Any:
    limiter = MemoryLimiter(Rate.of(0.001, burst), ManualClock(0))
    limits = Limits(*[limiter] * 7)
    app = Starlette(routes=inbox_pages(Settings(**settings), limits, bundle))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://pidgr.example") as http:
            return await http.get(path, headers=headers)

    return asyncio.run(ask())


def test_the_page_is_in_the_readers_language_and_runs_nothing_but_our_files(bundle: Path) -> None:
    page = get(bundle, "/inbox", headers={"accept-language": "pt-BR"})
    assert page.status_code == 200
    assert '<html lang="pt-BR">' in page.text
    assert "<title>Caixa de entrada" in page.text
    with_bot = get(bundle, "/inbox", telegram_bot_token="1:token")
    assert '<html lang="en" data-telegram>' in with_bot.text
    assert "1:token" not in with_bot.text
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_files_are_found_where_the_page_says_and_may_be_kept_for_ever(bundle: Path) -> None:
    page = get(bundle, "/inbox", issuer="https://pidgr.example/prefix/")
    assert '<link rel="canonical" href="https://pidgr.example/prefix/inbox">' in page.text
    address = page.text.split('src="')[1].partition('"')[0]
    assert address.startswith("/prefix/inbox/inbox.js?v=")
    file = get(bundle, address.removeprefix("/prefix"))
    assert file.text == SCRIPT
    assert file.headers["content-type"].startswith("text/javascript")
    assert "immutable" in file.headers["cache-control"]
    other = get(bundle, "/inbox/inbox.js?v=0123456789abcdef")
    assert (other.text, other.headers["cache-control"]) == (SCRIPT, "no-cache")
    assert "immutable" in get(bundle, "/inbox/part-1.js").headers["cache-control"]
    (bundle / "inbox.js").write_text(SCRIPT * 2)
    assert address not in get(bundle, "/inbox", issuer="https://pidgr.example/prefix/").text


@pytest.mark.parametrize(("accepted", "encoding"), [("gzip, br", "gzip"), ("identity", None)])
def test_files_are_packed_for_who_takes_them_so(
    bundle: Path, accepted: str, encoding: str | None
) -> None:
    file = get(bundle, "/inbox/style.css", headers={"accept-encoding": accepted})
    assert file.headers.get("content-encoding") == encoding
    assert file.text == "a{}"
    assert file.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize("path", ["/inbox/none.js", "/inbox/..%2finbox.js", "/inbox/part-1.js/x"])
def test_there_is_nothing_else(bundle: Path, path: str) -> None:
    assert get(bundle, path).status_code == 404


def test_a_server_without_its_inbox_says_how_to_get_it(tmp_path: Path) -> None:
    page = get(tmp_path / "none", "/inbox", headers={"accept-language": "es"})
    assert page.status_code == 503
    assert "<code>make inbox</code>" in page.text
    assert "Bandeja de entrada" in page.text
    assert get(tmp_path / "none", "/inbox/inbox.js").status_code == 404


def test_where_there_is_another_client_the_address_leads_there(bundle: Path) -> None:
    page = get(bundle, "/inbox", sign_in_url="https://app.example/")
    assert page.status_code == 303
    assert page.headers["location"] == "https://app.example/"
    ours = get(bundle, "/inbox", issuer="https://a.example/", sign_in_url="https://a.example/inbox")
    assert ours.status_code == 200


def test_the_page_is_limited_by_address_and_its_files_are_not(bundle: Path) -> None:
    assert get(bundle, "/inbox", burst=0).status_code == 429
    assert get(bundle, "/inbox/inbox.js", burst=0).status_code == 200
