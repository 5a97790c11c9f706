"""A client that lets the server's page sign people in, with Chromium between the two."""

import base64
import hashlib
import secrets
from urllib.parse import parse_qs, urlsplit

import httpx
from support.node import NodeProject
from support.visitor import Visitor


def test_a_client_gets_the_tokens_of_who_signs_in_by_code_and_by_passkey(
    node: NodeProject, visitor: Visitor
) -> None:
    verifier = secrets.token_urlsafe(48)
    digest = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    system = visitor.installation.system
    seen = node.run(
        "sign_in/byCodeAndPasskey",
        **visitor.scenario,
        start=f"{visitor.scenario['url']}/sign-in?code_challenge={challenge}",
        until=f"{system.settings.sign_in_url}&pidgr_code=",
    )
    methods = {}
    with httpx.Client(base_url=visitor.installation.url, timeout=60) as client:
        for name, address in seen.items():
            (code,) = parse_qs(urlsplit(address).query)["pidgr_code"]
            fields = {"code": code, "code_verifier": verifier}
            tokens = client.post("/auth/token", json=fields).json()
            assert tokens["organization_id"] == visitor.organization.id
            claims = system.signer.verify(tokens["access_token"])
            assert claims.email == visitor.scenario["email"]
            methods[name] = claims.methods
            assert client.post("/auth/token", json=fields).status_code == 401
    assert methods == {"byCode": {"otp"}, "byPasskey": {"swk", "mfa"}}
