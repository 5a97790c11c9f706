"""A browser on its way to a SAML provider that takes posted requests only, and back."""

import secrets
import socket
from html import escape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import grpc
import httpx
from support.grpc_client import Client, Stubs
from support.http_peer import HttpPeer, Received, Scripted, http_peer
from support.node import NodeProject
from support.running import running
from support.saml_provider import MAIL, SamlProvider
from support.sso_door import SsoDoor

from pidgr.rpc.server import ServerOptions

LANGUAGES = ("en", "es", "pt-BR", "zh", "ja")
STEPS = ("no provider here", "onward to the provider", "posting")
HTML = {"content-type": "text/html"}


def posting(target: str, form: dict[str, str]) -> bytes:
    """Return what providers send people back with: a page that posts by itself."""
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in form.items()
    )
    body = f'<form method="post" action="{escape(target)}">{fields}</form>'
    return f"{body}<script>document.forms[0].submit()</script>".encode()


def serve(peer: HttpPeer, provider: SamlProvider, consumer: str, email: str) -> None:
    """Let a peer be the provider, which knows who is there, and the client as well."""

    def answer(request: Received) -> Scripted:
        match urlsplit(request.path).path:
            case "/metadata":
                return Scripted(200, {}, provider.metadata().encode())
            case "/sso":
                form = provider.take(request.body, {"mail": [email]})
                return Scripted(200, HTML, posting(consumer, form))
            case "/app":
                return Scripted(200, HTML, b"<p>Welcome</p>")
            case _:
                return Scripted(404)

    peer.answer = answer


def test_a_browser_posts_the_request_and_brings_the_response_back(
    node: NodeProject, stubs: Stubs, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    domain = f"d{secrets.token_hex(4)}.example"
    with (
        http_peer() as peer,
        running(
            tmp_path,
            ServerOptions(port=port),
            issuer=f"http://127.0.0.1:{port}",
            sign_in_url=peer.url(path="/app"),
            sso_allowed_networks=("127.0.0.1",),
            embedded_engine=False,
        ) as home,
        grpc.insecure_channel(home.address) as channel,
    ):
        metadata = httpx.get(f"{home.url}/auth/sso/saml/metadata", timeout=60).text
        provider = SamlProvider(tmp_path, metadata, posted=peer.url(path="/sso"))
        serve(peer, provider, f"{home.url}/auth/sso/saml/acs", f"ada@{domain}")
        client = Client(channel, stubs)
        door = SsoDoor(
            home,
            client,
            home.found(),
            domain,
            type=1,
            metadata_url=peer.url(path="/metadata"),
            attribute_mapping=stubs.SamlAttributeNames(email=MAIL),
        )
        key = door.organization.api_key
        invited = client("MemberService/InviteUser", key, email=f"ada@{domain}").user

        seen = node.run(
            "sign_in/byProvider",
            **node.browser(),
            url=home.url,
            start=f"{home.url}/sign-in?code_challenge={door.challenge()}",
            email=f"ada@{domain}",
            until=peer.url(path="/app?pidgr_code="),
            languages=LANGUAGES,
        )
        looked = [(one["language"], one["name"]) for one in seen["pages"]]
        assert looked == [(language, name) for language in LANGUAGES for name in STEPS]
        assert [one["violations"] for one in seen["pages"]] == [[]] * len(looked)
        (code,) = parse_qs(urlsplit(seen["arrived"]).query)["pidgr_code"]
        with door.browser:
            fields = {"code": code, "code_verifier": door.verifier}
            tokens = door.browser.post("/auth/token", json=fields).json()
        assert tokens["user_id"] == invited.id
