"""Signing keys: what a token must be, and how one key follows another without anyone noticing."""

import asyncio
import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey
from support.organization import START, Installation, Tenant
from support.sign_in import PAIR, Desk
from support.waiting import until
from typer.testing import CliRunner

from pidgr import cli, operations
from pidgr.clock import DAY, HOUR, MINUTE, SECOND, ManualClock
from pidgr.errors import UnauthenticatedError
from pidgr.identity import identity_store, operator, signing_keys, store
from pidgr.identity.tokens import TokenSigner
from pidgr.rpc.app import build_app
from pidgr.rpc.server import BackgroundServer, ServerOptions
from pidgr.settings import Settings
from pidgr.storage.database import Database
from pidgr.system import System, build_system, migrate

NOW = START // SECOND
GOOD: dict[str, Any] = {
    "iss": "https://pidgr.example",
    "aud": "pidgr",
    "sub": "somebody",
    "exp": NOW + 60,
}
STRANGER = signing_keys.new_pair()


@pytest.fixture
def desk(installation: Installation, acme: Tenant) -> Desk:
    assert acme.id
    return Desk(installation)


def encoded(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def rs256(claims: dict[str, Any], pair: RSAKey = PAIR, **header: Any) -> str:
    fields = {"alg": "RS256", "kid": PAIR.thumbprint(), **header}
    return jwt.encode(
        {name: value for name, value in fields.items() if value is not None}, claims, pair
    )


def hs256_with_the_public_key() -> str:
    signed = f"{encoded({'alg': 'HS256', 'kid': PAIR.thumbprint()})}.{encoded(GOOD)}"
    # By hand: the library refuses to take a public key for a secret.
    seal = hmac.digest(PAIR.as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(seal).rstrip(b'=').decode()}"


def without_signature(algorithm: str) -> str:
    header = {"alg": algorithm, "kid": PAIR.thumbprint()}
    return f"{encoded(header)}.{encoded(GOOD)}."


def signed_for_other_claims() -> str:
    header, _, signature = rs256(GOOD).split(".")
    return f"{header}.{encoded({**GOOD, 'sub': 'admin'})}.{signature}"


def less(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


BAD: dict[str, Callable[[], str]] = {
    "alg none": lambda: without_signature("none"),
    "alg None": lambda: without_signature("None"),
    "RS256 without a signature": lambda: without_signature("RS256"),
    "HS256 with the public key as its secret": hs256_with_the_public_key,
    "claims changed after signing": signed_for_other_claims,
    "another pair under our kid": lambda: rs256(GOOD, STRANGER),
    "another pair under its own kid": lambda: rs256(GOOD, STRANGER, kid=STRANGER.thumbprint()),
    "another pair that brings itself along": lambda: rs256(
        GOOD, STRANGER, kid=None, jwk=STRANGER.as_dict(private=False)
    ),
    "no kid": lambda: rs256(GOOD, kid=None),
    "foreign issuer": lambda: rs256({**GOOD, "iss": "https://elsewhere.example"}),
    "issuer with a slash": lambda: rs256({**GOOD, "iss": "https://pidgr.example/"}),
    "no issuer": lambda: rs256(less("iss")),
    "another audience": lambda: rs256({**GOOD, "aud": "another"}),
    "no audience": lambda: rs256(less("aud")),
    "no subject": lambda: rs256(less("sub")),
    "expired": lambda: rs256({**GOOD, "exp": NOW}),
    "no expiry": lambda: rs256(less("exp")),
    "expiry that is no number": lambda: rs256({**GOOD, "exp": "tomorrow"}),
    "not valid yet": lambda: rs256({**GOOD, "nbf": NOW + 60}),
    "issued in the future": lambda: rs256({**GOOD, "iat": NOW + 60}),
    "empty": lambda: "",
    "two parts": lambda: "a.b",
    "not base64": lambda: "%.%.%",
    "header that is no object": lambda: f"{encoded([1])}.{encoded(GOOD)}.AAAA",
    "deeply nested": lambda: (
        base64.urlsafe_b64encode(b"[" * 3_000).decode() + f".{encoded(GOOD)}.AAAA"
    ),
}


def test_a_proper_token_is_good(desk: Desk) -> None:
    assert desk.signer.verify(rs256(GOOD)).subject == "somebody"
    assert desk.signer.verify(rs256({**GOOD, "aud": ["another", "pidgr"]})).subject == "somebody"


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused_with_the_one_sentence(desk: Desk, name: str) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        asyncio.run(desk.signer.authenticate(BAD[name]()))
    assert str(refused.value) == "the access token is invalid or expired; sign in again"


def test_a_token_cannot_outlive_the_key_that_signs_it(desk: Desk) -> None:
    with pytest.raises(ValueError, match="86,400 seconds"):
        desk.signer.sign(subject="s", email="", organization_id="", lifetime=DAY + SECOND)


def kids(signer: TokenSigner) -> list[str]:
    keys = signer.public_keys()["keys"]
    assert isinstance(keys, list)
    return [key["kid"] for key in keys]


def kid_of(token: str) -> str:
    header = token.partition(".")[0]
    decoded = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    return str(decoded["kid"])


def sign(signer: TokenSigner) -> str:
    return signer.sign(subject="s", email="", organization_id="", lifetime=DAY)


def test_a_new_key_is_public_for_ten_minutes_before_it_signs(desk: Desk) -> None:
    (first,) = kids(desk.signer)

    async def story() -> None:
        signs_from = desk.signer.rotate_keys()
        assert signs_from - desk.clock.now() == 10 * MINUTE
        desk.clock.advance(MINUTE)
        await desk.signer.refresh_keys()
        assert kids(desk.signer)[0] == first
        assert len(kids(desk.signer)) == 2
        assert kid_of(sign(desk.signer)) == first
        desk.clock.advance(9 * MINUTE - 1)
        assert kid_of(sign(desk.signer)) == first
        desk.clock.advance(1)
        assert kid_of(sign(desk.signer)) == kids(desk.signer)[1]

    asyncio.run(story())


def test_an_old_key_counts_until_its_last_token_has_expired(desk: Desk) -> None:
    async def story() -> None:
        desk.signer.rotate_keys()
        desk.clock.advance(10 * MINUTE - 1)
        await desk.signer.refresh_keys()
        last = sign(desk.signer)
        desk.clock.advance(DAY - SECOND)
        stranger = desk.new_signer()
        assert (await stranger.authenticate(last)).subject == "s"
        assert len(kids(stranger)) == 2
        desk.clock.advance(2 * MINUTE)
        await stranger.refresh_keys()
        assert len(kids(stranger)) == 1
        forged = rs256({**GOOD, "exp": desk.clock.now() // SECOND + 60})
        with pytest.raises(UnauthenticatedError):
            await desk.new_signer().authenticate(forged)

    asyncio.run(story())


def test_a_retired_key_takes_with_it_what_a_thief_has_signed_for_years(desk: Desk) -> None:
    forged = rs256({**GOOD, "exp": NOW + 10 * 365 * DAY // SECOND})

    async def story() -> None:
        assert (await desk.signer.authenticate(forged)).subject == "somebody"
        desk.signer.rotate_keys()
        desk.clock.advance(DAY + 10 * MINUTE)
        assert (await desk.signer.authenticate(forged)).subject == "somebody"
        desk.clock.advance(MINUTE)
        with pytest.raises(UnauthenticatedError):
            await desk.signer.authenticate(forged)

    asyncio.run(story())


def test_a_retired_private_key_is_deleted_by_the_next_rotation(desk: Desk) -> None:
    desk.signer.rotate_keys()
    desk.clock.advance(2 * DAY)
    desk.signer.rotate_keys()
    stored = desk.installation.read(store.signing_keys)
    assert len(stored) == 2
    assert PAIR.thumbprint() not in {key.kid for key in stored}


def test_the_command_line_rotates(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'pidgr.sqlite3'}"
    said = CliRunner().invoke(
        cli.app,
        ["admin", "rotate-keys"],
        env={"PIDGR_DATA_DIR": str(tmp_path), "PIDGR_DATABASE_URL": database},
    )
    assert said.exit_code == 0
    assert said.output.startswith("The new key signs from 20")
    opened = Database(database)
    assert len(opened.read_now(store.signing_keys)) == 2
    opened.close()


def test_of_two_rotations_within_a_minute_the_later_key_signs(desk: Desk) -> None:
    async def story() -> None:
        desk.signer.rotate_keys()
        desk.clock.advance(30 * SECOND)
        desk.signer.rotate_keys()
        used = []
        for _ in range(12):
            await desk.signer.refresh_keys()
            used.append(kid_of(sign(desk.signer)))
            desk.clock.advance(MINUTE)
        assert len(set(used)) == 2
        assert used[0] == PAIR.thumbprint()
        assert used[-1] == kids(desk.signer)[-1]

    asyncio.run(story())


class CountingDatabase(Database):
    """Counts units of work that read."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reads = 0

    async def read(self, work: Any, *, heavy: bool = False) -> Any:
        self.reads += 1
        return await super().read(work, heavy=heavy)


def test_a_storm_of_unknown_keys_reads_the_database_once_in_five_seconds(desk: Desk) -> None:
    database = CountingDatabase(desk.database.url.render_as_string(hide_password=False))
    signer = TokenSigner(database, desk.master_key, desk.clock, "https://pidgr.example", "pidgr")
    signer.ensure_key()
    unknown = rs256(GOOD, STRANGER, kid=STRANGER.thumbprint())

    async def attempt(token: str) -> bool:
        try:
            await signer.authenticate(token)
        except UnauthenticatedError:
            return False
        return True

    async def story() -> None:
        for nameless in ("a.b.c", "garbage", rs256(GOOD, STRANGER, kid=None)):
            assert not await attempt(nameless)
        assert database.reads == 0
        for expected in (1, 2):
            for _ in range(200):
                assert not await attempt(unknown)
            assert await attempt(rs256(GOOD))
            assert database.reads == expected
            desk.clock.advance(5 * SECOND)

    asyncio.run(story())
    database.close()


def test_a_key_is_opened_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening takes so long that everybody would notice who makes the server do it again."""
    opened = []
    open_key = RSAKey.import_key

    def opening(*given: Any) -> RSAKey:
        opened.append(given)
        return open_key(*given)

    monkeypatch.setattr(RSAKey, "import_key", opening)
    signer = desk.new_signer()
    assert len(opened) == 1
    unknown = rs256(GOOD, STRANGER, kid=STRANGER.thumbprint())
    for token in (unknown, ""):
        desk.clock.advance(2 * MINUTE)
        asyncio.run(signer.refresh_keys(token))
    assert len(opened) == 1
    signer.rotate_keys()
    desk.clock.advance(2 * MINUTE)
    asyncio.run(signer.refresh_keys())
    assert len(opened) == 2


def test_a_key_made_elsewhere_is_found_by_its_first_token(desk: Desk) -> None:
    here, there = desk.new_signer(), desk.new_signer()
    desk.clock.advance(SECOND)
    desk.installation.write(
        lambda unit: signing_keys._insert(
            unit, desk.master_key, STRANGER, desk.clock.now(), signs_from=desk.clock.now()
        )
    )
    asyncio.run(there.refresh_keys(rs256(GOOD, STRANGER, kid=STRANGER.thumbprint())))
    token = sign(there)
    assert kid_of(token) == STRANGER.thumbprint()
    assert asyncio.run(here.authenticate(token)).subject == "s"


def test_whoever_comes_first_with_a_new_key_waits_for_it_all_at_once(desk: Desk) -> None:
    """As after a night without calls, in which the keys were rotated."""
    here = desk.new_signer()
    desk.installation.write(
        lambda unit: signing_keys._insert(
            unit, desk.master_key, STRANGER, desk.clock.now(), signs_from=desk.clock.now()
        )
    )
    for passed in (0, HOUR):
        desk.clock.advance(passed)
        exp = desk.clock.now() // SECOND + 60
        tokens = [
            rs256({**GOOD, "sub": f"s{number}", "exp": exp}, STRANGER, kid=STRANGER.thumbprint())
            for number in range(5)
        ]

        async def together(tokens: list[str] = tokens) -> list[str]:
            found = await asyncio.gather(*map(here.authenticate, tokens))
            return [claims.subject for claims in found]

        assert asyncio.run(together()) == ["s0", "s1", "s2", "s3", "s4"]


# --- two processes' worth of servers, a relying party, and two rotations ---


@pytest.fixture(params=["sqlite", "postgresql"])
def servers(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[ManualClock, list[tuple[System, str]]]]:
    settings: dict[str, Any] = {
        "data_dir": tmp_path,
        "rate_limit_per_second": 1e6,
        "rate_limit_burst": 1_000_000,
        "sign_in_limit_per_second": 1e6,
        "sign_in_limit_burst": 1_000_000,
    }
    if request.param == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres_url")
        database = Database(settings["database_url"])
        migrate(database)
        database.close()
    clock = ManualClock(START)
    with ExitStack() as stack:
        running = []
        for _ in range(2):
            system = build_system(Settings(**settings), run_handlers=False, clock=clock)
            app = build_app(system)
            server = stack.enter_context(
                BackgroundServer(lambda app=app: app, ServerOptions(port=0))  # type: ignore[misc]
            )
            running.append((system, server.url))
        yield clock, running


class Visitor:
    """Calls one server after the other, and refreshes tokens that are five minutes old."""

    def __init__(self, clock: ManualClock, urls: list[str], refresh_token: str) -> None:
        self._clock = clock
        self._urls = urls
        self._refresh_token = refresh_token
        self._signed_in_at = -HOUR
        self._access_token = ""
        self.calls = 0
        self.kids: set[str] = set()
        self.failures: list[str] = []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self.stop.is_set():
                url = self._urls[self.calls % len(self._urls)]
                if self._clock.now() - self._signed_in_at > 5 * MINUTE:
                    self._refresh(client, url)
                answer = client.post(
                    f"{url}/pidgr.v1.OrganizationService/GetOrganization",
                    headers={"authorization": f"Bearer {self._access_token}"},
                    json={},
                )
                if answer.status_code != 200:
                    self.failures.append(answer.text)
                self.calls += 1

    def _refresh(self, client: httpx.Client, url: str) -> None:
        self._signed_in_at = self._clock.now()
        answer = client.post(f"{url}/auth/refresh", json={"refresh_token": self._refresh_token})
        if answer.status_code != 200:
            self.failures.append(answer.text)
            return
        self._refresh_token = answer.json()["refresh_token"]
        self._access_token = answer.json()["access_token"]
        self.kids.add(kid_of(self._access_token))


class RelyingParty:
    """Verifies our tokens by our published keys, which it keeps as long as they say it may."""

    def __init__(self, clock: ManualClock, url: str) -> None:
        self._clock = clock
        self._url = url
        self._fetched_at = -HOUR
        self._keys = KeySet([])

    def verify(self, token: str) -> None:
        if self._clock.now() - self._fetched_at >= 300 * SECOND:
            answer = httpx.get(f"{self._url}/.well-known/jwks.json")
            assert answer.headers["cache-control"] == "public, max-age=300"
            self._keys = KeySet.import_key_set(answer.json())
            self._fetched_at = self._clock.now()
        jwt.decode(token, self._keys, algorithms=["RS256"])


def test_two_rotations_under_load_fail_no_request(
    servers: tuple[ManualClock, list[tuple[System, str]]],
) -> None:
    clock, running = servers
    urls = [url for _, url in running]
    system = running[0][0]
    founded = operations.found_organization(system, "Acme", "ada@example.com")
    subject = system.database.read_now(
        lambda unit: identity_store.subject_of_address(unit, "ada@example.com")
    )
    assert subject is not None
    visitors = [
        Visitor(
            clock,
            urls,
            system.database.write_now(
                lambda unit: system.sessions.open(unit, subject, "otp", "")
            ).refresh_token,
        )
        for _ in range(3)
    ]
    # Lives through both rotations.
    long_lived = system.database.write_now(
        lambda unit: operator.mint_token(
            unit, system.signer, founded["admin_user_id"], DAY, clock.now()
        )
    )
    party = RelyingParty(clock, urls[1])
    for visitor in visitors:
        visitor.thread.start()
    try:
        for minute in range(30):
            if minute in {2, 14}:
                # By another process, as the command line does it.
                with_own_keys = TokenSigner(
                    system.database, system.master_key, clock, "another process", ""
                )
                with_own_keys.rotate_keys()
            clock.advance(MINUTE)
            seen = [visitor.calls for visitor in visitors]
            until(
                lambda seen=seen: all(  # type: ignore[misc]
                    visitor.calls >= before + 3
                    for visitor, before in zip(visitors, seen, strict=True)
                )
            )
            for visitor in visitors:
                party.verify(visitor._access_token)
            party.verify(long_lived)
            answer = httpx.post(
                f"{urls[minute % 2]}/pidgr.v1.OrganizationService/GetOrganization",
                headers={"authorization": f"Bearer {long_lived}"},
                json={},
            )
            assert answer.status_code == 200
    finally:
        for visitor in visitors:
            visitor.stop.set()
        for visitor in visitors:
            visitor.thread.join()
    assert [visitor.failures for visitor in visitors] == [[], [], []]
    assert sum(visitor.calls for visitor in visitors) >= 3 * 3 * 30
    assert all(len(visitor.kids) == 3 for visitor in visitors)
    clock.advance(DAY)
    assert len(httpx.get(f"{urls[0]}/.well-known/jwks.json").json()["keys"]) == 1
