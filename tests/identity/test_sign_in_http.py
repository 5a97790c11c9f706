"""Signing in over the wire: a real server, its engine, a real mail server, plain HTTP clients."""

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support.mail_server import Peer
from support.mailing import running_with_mail
from support.running import Installation
from support.waiting import until

from pidgr.engine.port import TaskStatus
from pidgr.storage.sql import Statement

KEYS = Statement("select key from sign_in_attempt order by key")
TRIES = Statement("select max(tries) from sign_in_attempt")


@pytest.fixture(scope="module")
def peer() -> Peer:
    return Peer()


@pytest.fixture(scope="module")
def installation(
    database_settings: dict[str, Any], peer: Peer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with (
        running_with_mail(
            peer,
            tmp_path_factory.mktemp("data"),
            sign_in_limit_per_second=1e6,
            sign_in_limit_burst=1_000_000,
            **database_settings,
        ) as installation,
    ):
        yield installation


class Visitor:
    """A client that knows HTTP and JSON and nothing of us."""

    def __init__(self, installation: Installation, peer: Peer) -> None:
        self.installation = installation
        self.peer = peer
        self.http = httpx.Client(base_url=installation.url, timeout=60)

    def post(self, path: str, **fields: Any) -> httpx.Response:
        return self.http.post(path, json=fields)

    def rpc(self, method: str, credential: str, headers: Any = None, **fields: Any) -> Any:
        return self.http.post(
            f"/pidgr.v1.{method}",
            json=fields,
            headers={"authorization": f"Bearer {credential}", **(headers or {})},
        )

    def address(self) -> str:
        return f"{secrets.token_hex(6)}@example.com"

    def invite(self, api_key: str, email: str) -> str:
        answer = self.rpc("MemberService/InviteUser", api_key, email=email, name="Eve")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["user"]["id"])

    def mails_to(self, email: str) -> list[str]:
        return self.peer.codes_to(email)

    def ask(self, email: str) -> tuple[str, str]:
        before = len(self.mails_to(email))
        answer = self.post("/auth/code", email=email)
        assert answer.status_code == 200, answer.text
        assert answer.json()["expires_in"] == 180
        until(lambda: len(self.mails_to(email)) > before)
        codes = re.findall(r"(?<!\d)\d{6}(?!\d)", self.mails_to(email)[-1])
        assert len(codes) == 1
        return answer.json()["attempt_id"], codes[0]

    def enter(self, email: str) -> Any:
        attempt_id, code = self.ask(email)
        answer = self.post("/auth/verify", attempt_id=attempt_id, code=code)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def visitor(installation: Installation, peer: Peer) -> Iterator[Visitor]:
    visitor = Visitor(installation, peer)
    yield visitor
    visitor.http.close()


def refusal(answer: httpx.Response, status: int, code: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()) == {"code", "message"}
    assert answer.json()["code"] == code
    return str(answer.json()["message"])


def test_an_invited_person_comes_in_stays_in_and_leaves(
    installation: Installation, visitor: Visitor
) -> None:
    organization = installation.found()
    email = visitor.address()
    user_id = visitor.invite(organization.api_key, email)
    tokens = visitor.enter(email)
    assert tokens["token_type"] == "Bearer"
    assert tokens["expires_in"] == 900
    assert tokens["user_id"] == user_id
    assert tokens["organization_id"] == organization.id
    assert [one["id"] for one in tokens["organizations"]] == [organization.id]
    user = visitor.rpc("MemberService/GetUser", tokens["access_token"]).json()["user"]
    assert user["id"] == user_id
    assert user["status"] == "USER_STATUS_ACTIVE"
    again = visitor.post("/auth/refresh", refresh_token=tokens["refresh_token"]).json()
    assert visitor.rpc("MemberService/GetUser", again["access_token"]).status_code == 200
    assert visitor.post("/auth/sign-out", refresh_token=again["refresh_token"]).json() == {}
    refused = visitor.post("/auth/refresh", refresh_token=again["refresh_token"])
    refusal(refused, 401, "unauthenticated")


def test_a_stolen_refresh_token_ends_the_session(
    installation: Installation, visitor: Visitor
) -> None:
    email = visitor.address()
    visitor.invite(installation.found().api_key, email)
    stolen = visitor.enter(email)["refresh_token"]
    newest = visitor.post("/auth/refresh", refresh_token=stolen).json()["refresh_token"]
    refusal(visitor.post("/auth/refresh", refresh_token=stolen), 401, "unauthenticated")
    refusal(visitor.post("/auth/refresh", refresh_token=newest), 401, "unauthenticated")


def test_unknown_and_known_addresses_get_the_same_answer_and_the_same_task(
    installation: Installation, visitor: Visitor
) -> None:
    known, unknown = visitor.address(), visitor.address()
    visitor.invite(installation.found().api_key, known)
    answers = [visitor.post("/auth/code", email=email) for email in (known, unknown)]
    shapes = [
        (
            answer.status_code,
            sorted(answer.headers.keys()),
            {name: type(value) for name, value in answer.json().items()},
            len(answer.content),
        )
        for answer in answers
    ]
    assert shapes[0] == shapes[1]
    keys = installation.system.database.read_now(lambda unit: unit.rows(KEYS))[-2:]
    for (key,) in keys:
        until(
            lambda key=key: (  # type: ignore[misc]
                installation.system.engine.status(f"mail-sign-in-code/{key}")
                is TaskStatus.SUCCEEDED
            )
        )
    assert len(visitor.mails_to(known)) == 1
    assert not visitor.mails_to(unknown)


def test_fifty_guesses_at_once_count_as_three_and_void_the_code(
    installation: Installation, visitor: Visitor
) -> None:
    email = visitor.address()
    visitor.invite(installation.found().api_key, email)
    attempt_id, code = visitor.ask(email)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    with ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(
                lambda _: visitor.post("/auth/verify", attempt_id=attempt_id, code=wrong), range(50)
            )
        )
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert installation.system.database.read_now(lambda unit: unit.value(TRIES)) == 3
    refused = visitor.post("/auth/verify", attempt_id=attempt_id, code=code)
    refusal(refused, 401, "unauthenticated")


def test_the_sixth_code_within_minutes_is_refused_with_the_time_to_wait(visitor: Visitor) -> None:
    email = visitor.address()
    for _ in range(5):
        assert visitor.post("/auth/code", email=email).status_code == 200
    answer = visitor.post("/auth/code", email=email.upper())
    refusal(answer, 429, "resource_exhausted")
    assert 170 <= int(answer.headers["retry-after"]) <= 180


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"{}", "application/json"),
        (b'{"email": "a\\ud800@example.com"}', "application/json"),
        (b'{"email": "a\\u0000@example.com"}', "application/json"),
        (b'{"email": 7}', "application/json"),
        (b'{"email": null}', "application/json"),
        (b'{"email": ""}', "application/json"),
        (b'{"email": "no address"}', "application/json"),
        (b'{"email": "a@example.com"', "application/json"),
        (b'["a@example.com"]', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 10_000, "application/json"),
        (b'{"email": "' + b"a" * 20_000 + b'@example.com"}', "application/json"),
        (b'{"email": "a@example.com"}', "text/plain"),
        (b"email=a@example.com", "application/x-www-form-urlencoded"),
    ],
)
def test_a_malformed_request_is_told_what_is_wrong(
    visitor: Visitor, content: bytes, content_type: str
) -> None:
    answer = visitor.http.post(
        "/auth/code", content=content, headers={"content-type": content_type}
    )
    assert refusal(answer, 400, "invalid_argument")


def test_doors_open_by_post_only(visitor: Visitor) -> None:
    for path in ("/auth/code", "/auth/verify", "/auth/refresh", "/auth/sign-out"):
        assert visitor.http.get(path).status_code == 405


# --- choosing an organization ---


def member_of_two(installation: Installation, visitor: Visitor) -> tuple[Any, Any, str, Any]:
    first, second = installation.found(), installation.found()
    email = visitor.address()
    for organization in (first, second):
        visitor.invite(organization.api_key, email)
    return first, second, email, visitor.enter(email)


def own_organization(visitor: Visitor, token: str, **headers: str) -> Any:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = visitor.rpc("MemberService/GetUser", token, headers=fields)
    return answer.json()["user"]["id"] if answer.status_code == 200 else answer


@pytest.mark.parametrize("header", ["x-org-id", "x-pidgr-org-id", "X-Org-Id"])
def test_a_header_selects_another_organization_of_the_person(
    installation: Installation, visitor: Visitor, header: str
) -> None:
    first, second, _, tokens = member_of_two(installation, visitor)
    token = tokens["access_token"]
    home = own_organization(visitor, token)
    there = own_organization(visitor, token, **{header: second.id})
    assert home == tokens["user_id"]
    assert there not in {home, None}
    assert own_organization(visitor, token, **{header: second.id.upper()}) == there
    assert own_organization(visitor, token, **{header: first.id}) == home


@pytest.mark.parametrize("chosen", ["foreign", "unknown", "garbage"])
def test_an_organization_one_is_no_member_of_is_denied(
    installation: Installation, visitor: Visitor, chosen: str
) -> None:
    _, _, _, tokens = member_of_two(installation, visitor)
    value = {
        "foreign": installation.found().id,
        "unknown": "00000000-0000-0000-0000-000000000000",
        "garbage": "'; drop table member; --",
    }[chosen]
    answer = own_organization(visitor, tokens["access_token"], x_org_id=value)
    assert answer.status_code == 403
    assert answer.json()["code"] == "permission_denied"


def test_an_api_key_takes_no_notice_of_the_header(
    installation: Installation, visitor: Visitor
) -> None:
    organization, other = installation.found(), installation.found()
    answer = visitor.rpc(
        "OrganizationService/GetOrganization",
        organization.api_key,
        headers={"x-org-id": other.id},
    )
    assert answer.json()["organization"]["id"] == organization.id


def test_refreshing_can_choose_an_organization_too(
    installation: Installation, visitor: Visitor
) -> None:
    _, second, _, tokens = member_of_two(installation, visitor)
    moved = visitor.post(
        "/auth/refresh", refresh_token=tokens["refresh_token"], organization_id=second.id
    ).json()
    assert moved["organization_id"] == second.id
    refused = visitor.post(
        "/auth/refresh",
        refresh_token=moved["refresh_token"],
        organization_id=installation.found().id,
    )
    refusal(refused, 403, "permission_denied")


# --- refusing codes ---


def set_policy(visitor: Visitor, credential: str, *, disabled: bool) -> httpx.Response:
    return visitor.http.post(
        "/auth/policy",
        json={"otp_disabled": disabled},
        headers={"authorization": f"Bearer {credential}"},
    )


def test_an_organization_that_refuses_codes_lets_none_in(
    installation: Installation, visitor: Visitor
) -> None:
    first, second, _, tokens = member_of_two(installation, visitor)
    token = tokens["access_token"]
    assert set_policy(visitor, second.api_key, disabled=True).json() == {"otp_disabled": True}
    denied = own_organization(visitor, token, x_org_id=second.id)
    assert denied.status_code == 403
    assert "code" in denied.json()["message"]
    refused = visitor.post(
        "/auth/refresh", refresh_token=tokens["refresh_token"], organization_id=second.id
    )
    refusal(refused, 403, "permission_denied")
    set_policy(visitor, first.api_key, disabled=True)
    refused = visitor.post("/auth/refresh", refresh_token=tokens["refresh_token"])
    refusal(refused, 401, "unauthenticated")
    set_policy(visitor, first.api_key, disabled=False)
    assert visitor.post("/auth/refresh", refresh_token=tokens["refresh_token"]).status_code == 200


def test_only_who_may_write_the_organization_sets_its_policy(
    installation: Installation, visitor: Visitor
) -> None:
    organization, _, _, tokens = member_of_two(installation, visitor)
    answer = set_policy(visitor, tokens["access_token"], disabled=True)
    assert "ORG_WRITE" in refusal(answer, 403, "permission_denied")
    refusal(set_policy(visitor, "nonsense", disabled=True), 401, "unauthenticated")
    shown = visitor.http.get(
        "/auth/policy", headers={"authorization": f"Bearer {organization.api_key}"}
    )
    assert shown.json() == {"otp_disabled": False}
    refusal(visitor.http.get("/auth/policy"), 401, "unauthenticated")


def test_nobody_who_came_in_by_a_code_locks_themselves_out(
    installation: Installation, visitor: Visitor
) -> None:
    from pidgr import operations

    email = visitor.address()
    operations.found_organization(installation.system, secrets.token_hex(4), email)
    token = visitor.enter(email)["access_token"]
    refusal(set_policy(visitor, token, disabled=True), 400, "failed_precondition")
    assert set_policy(visitor, token, disabled=False).status_code == 200
