"""Tokens of other issuers the operator trusts, with an issuer that serves real keys."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pydantic
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from support.organization import START, Installation, Tenant
from support.sign_in import PAIR, Desk

from pidgr.clock import HOUR, MINUTE, SECOND
from pidgr.contract.v1.user_pb import UserStatus
from pidgr.errors import PermissionDeniedError, UnauthenticatedError
from pidgr.identity import signing_keys
from pidgr.identity.authenticator import Authenticator
from pidgr.identity.external_issuers import ExternalIssuers
from pidgr.settings import Settings, TrustedIssuer

ISSUER = "https://login.example"
ADA = "ada@example.com"
THEIRS = signing_keys.new_pair()
THEIR_NEXT = signing_keys.new_pair()


class Issuer:
    """Publishes keys on 127.0.0.1 and counts who asks."""

    def __init__(self) -> None:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked += 1
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(issuer.body)

            def log_message(self, *_: object) -> None:
                pass

        self.asked = 0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.publish(THEIRS)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"

    def publish(self, *pairs: RSAKey) -> None:
        keys = [{**pair.as_dict(private=False), "kid": pair.thumbprint()} for pair in pairs]
        # Keys of other kinds are published beside them.
        keys.append({"kty": "oct", "kid": "shared", "k": "c2VjcmV0"})
        self.body = json.dumps({"keys": keys}).encode()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    thread = threading.Thread(target=issuer.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield issuer
    issuer.server.shutdown()
    issuer.server.server_close()
    thread.join()


class Door:
    """An authenticator that trusts the issuer, and the issuer's tokens."""

    def __init__(self, desk: Desk, issuer: Issuer) -> None:
        self.desk = desk
        trusted = TrustedIssuer(issuer=ISSUER, audience="pidgr", jwks_url=issuer.url)
        self.issuers = ExternalIssuers(desk.database, desk.clock, [trusted])
        self.authenticator = Authenticator(desk.database, desk.signer, self.issuers, desk.clock)

    def token(self, pair: RSAKey = THEIRS, header: Any = None, **claims: Any) -> str:
        now = self.desk.clock.now() // SECOND
        values = {
            "iss": ISSUER,
            "aud": "pidgr",
            "sub": "their-ada",
            "exp": now + 3_600,
            "email": ADA,
            "email_verified": True,
            **claims,
        }
        return jwt.encode(
            {"alg": "RS256", "kid": pair.thumbprint(), **(header or {})},
            {name: value for name, value in values.items() if value is not None},
            pair,
        )

    async def enter(self, organization_id: str = "", **claims: Any) -> Any:
        authorization = f"Bearer {self.token(**claims)}"
        return await self.authenticator.authenticate(authorization, organization_id)


@pytest.fixture
def door(installation: Installation, acme: Tenant, issuer: Issuer) -> Door:
    assert acme.admin.email == ADA
    return Door(Desk(installation), issuer)


def test_a_verified_address_is_its_member_here(door: Door, acme: Tenant) -> None:
    caller = asyncio.run(door.enter())
    assert caller.person is not None
    assert caller.person.id == acme.admin.actor_id
    assert caller.organization is not None
    assert caller.organization.id == acme.id
    assert caller.permissions == acme.admin.permissions


def test_once_known_the_subject_counts_whatever_the_address(door: Door, acme: Tenant) -> None:
    acme.add_member("eve@example.com")

    async def story() -> None:
        await door.enter()
        for claims in (
            {"email": None},
            {"email": "new@example.com"},
            {"email": "eve@example.com"},
            {"email_verified": False},
        ):
            caller = await door.enter(**claims)
            assert caller.person.id == acme.admin.actor_id

    asyncio.run(story())


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email": None},
        {"email": "nobody@example.com"},
        {"email": ["ada@example.com"]},
    ],
)
def test_nobody_is_known_by_an_address_the_issuer_has_not_verified(
    door: Door, claims: dict[str, Any]
) -> None:
    with pytest.raises(UnauthenticatedError, match="nobody here"):
        asyncio.run(door.enter(**claims))


def test_an_invitation_is_not_accepted_by_a_foreign_token(door: Door, acme: Tenant) -> None:
    acme.add_member("eve@example.com", status=UserStatus.INVITED)
    with pytest.raises(UnauthenticatedError):
        asyncio.run(door.enter(sub="their-eve", email="eve@example.com"))


def test_a_deactivated_member_stays_out(door: Door, acme: Tenant) -> None:
    async def story() -> None:
        await door.enter()
        door.desk.set_status(acme.admin.actor_id, UserStatus.DEACTIVATED)
        caller = await door.enter()
        assert caller.organization is None
        with pytest.raises(PermissionDeniedError):
            await door.enter(acme.id)

    asyncio.run(story())


def test_the_organization_is_the_header_s_or_the_claim_s_or_the_first(
    door: Door, installation: Installation, acme: Tenant
) -> None:
    globex = installation.found("Globex", ADA)
    foreign = installation.found("Foreign", "boss@example.com")

    async def story() -> None:
        assert (await door.enter()).organization.id == acme.id
        claimed = {"custom:org_id": globex.id}
        assert (await door.enter(**claimed)).organization.id == globex.id
        assert (await door.enter(acme.id, **claimed)).organization.id == acme.id
        with pytest.raises(PermissionDeniedError):
            await door.enter(foreign.id)
        with pytest.raises(UnauthenticatedError):
            await door.enter(**{"custom:org_id": foreign.id})

    asyncio.run(story())


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another"},
        {"aud": None},
        {"exp": START // SECOND - 5},
        {"exp": None},
        {"exp": float("inf")},
        {"nbf": START // SECOND + 60},
        {"sub": None},
        {"custom:org_id": ["of another issuer's making"]},
        {"custom:org_id": {}},
        {"pair": PAIR},
        {"pair": THEIR_NEXT},
        {"pair": THEIR_NEXT, "header": {"kid": THEIRS.thumbprint()}},
        {"header": {"kid": "shared"}},
    ],
    # Workers of one run must agree on the names, and keys have none.
    ids="-".join,
)
def test_a_bad_token_of_a_trusted_issuer_is_refused(door: Door, changes: dict[str, Any]) -> None:
    with pytest.raises(UnauthenticatedError, match="invalid or expired"):
        asyncio.run(door.enter(**changes))


def test_an_issuer_nobody_trusts_is_not_asked_for_keys(door: Door, issuer: Issuer) -> None:
    for foreign in ("https://elsewhere.example", ISSUER + "/", ""):
        with pytest.raises(UnauthenticatedError):
            asyncio.run(door.enter(iss=foreign))
    assert issuer.asked == 0


def test_our_key_signs_nothing_for_them_and_theirs_nothing_for_us(door: Door) -> None:
    with pytest.raises(UnauthenticatedError):
        asyncio.run(door.enter(iss="https://pidgr.example"))
    with pytest.raises(UnauthenticatedError):
        asyncio.run(door.enter(pair=PAIR))


def test_keys_are_asked_for_once_an_hour(door: Door, issuer: Issuer) -> None:
    async def story() -> None:
        for _ in range(5):
            await door.enter()
        assert issuer.asked == 1
        door.desk.clock.advance(HOUR)
        await asyncio.gather(*(door.enter() for _ in range(5)))
        assert issuer.asked == 2

    asyncio.run(story())


def test_an_unknown_key_is_asked_for_at_most_every_half_minute(door: Door, issuer: Issuer) -> None:
    async def refused() -> None:
        with pytest.raises(UnauthenticatedError):
            await door.enter(pair=THEIR_NEXT)

    async def story() -> None:
        await asyncio.gather(*(refused() for _ in range(20)))
        assert issuer.asked == 1
        issuer.publish(THEIRS, THEIR_NEXT)
        await refused()
        door.desk.clock.advance(30 * SECOND)
        assert await door.enter(pair=THEIR_NEXT)
        assert issuer.asked == 2

    asyncio.run(story())


def test_a_key_that_was_withdrawn_is_refused_within_the_hour(door: Door, issuer: Issuer) -> None:
    async def story() -> None:
        await door.enter()
        issuer.publish(THEIR_NEXT)
        door.desk.clock.advance(HOUR)
        with pytest.raises(UnauthenticatedError):
            await door.enter()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (500, b"", {}),
        (302, b"", {"location": "http://127.0.0.1:1/"}),
        (200, b"<html>", {}),
        (200, b"[]", {}),
        (200, b'{"keys": [{"kty": "RSA", "kid": "x", "n": "!", "e": "AQAB"}]}', {}),
        (200, b" " * (1 << 20) + b" ", {}),
    ],
)
def test_an_issuer_in_trouble_leaves_its_known_keys_good(
    door: Door, issuer: Issuer, status: int, body: bytes, headers: dict[str, str]
) -> None:
    async def story() -> None:
        await door.enter()
        issuer.status, issuer.body, issuer.headers = status, body, headers
        door.desk.clock.advance(HOUR + MINUTE)
        assert await door.enter()
        assert issuer.asked == 2
        assert await door.enter()
        assert issuer.asked == 2

    asyncio.run(story())


def test_issuers_are_set_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    value = [{"issuer": ISSUER, "audience": "pidgr", "jwks_url": "https://login.example/jwks"}]
    monkeypatch.setenv("PIDGR_TRUSTED_ISSUERS", json.dumps(value))
    assert Settings().trusted_issuers == (TrustedIssuer.model_validate(value[0]),)


@pytest.mark.parametrize("url", ["http://login.example/jwks", "file:///etc/passwd", ""])
def test_keys_come_by_tls_or_from_this_machine(url: str) -> None:
    with pytest.raises(pydantic.ValidationError):
        TrustedIssuer(issuer=ISSUER, audience="pidgr", jwks_url=url)
