"""Sign-in on servers with settings of their own: limits, and mail that has nowhere to go."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.running import running
from support.waiting import until

from pidgr import operations


def test_one_client_address_is_limited_whatever_it_asks(tmp_path: Path) -> None:
    with (
        running(
            tmp_path,
            embedded_engine=False,
            sign_in_limit_per_second=0.01,
            sign_in_limit_burst=5,
        ) as installation,
        httpx.Client(base_url=installation.url) as client,
    ):
        statuses = [
            client.post("/auth/refresh", json={"refresh_token": "x"}).status_code for _ in range(3)
        ]
        statuses += [
            client.post("/auth/code", json={"email": f"{number}@example.com"}).status_code
            for number in range(4)
        ]
        assert statuses == [401, 401, 401, 200, 200, 429, 429]
        refused = client.post("/auth/verify", json={})
        assert refused.status_code == 429
        assert refused.json()["code"] == "resource_exhausted"
        assert 90 <= int(refused.headers["retry-after"]) <= 100
        assert client.get("/healthz").status_code == 200


def test_one_client_address_looks_at_ten_invite_links_a_minute(tmp_path: Path) -> None:
    allowance: dict[str, Any] = {"invite_limit_per_minute": 10, "invite_limit_burst": 10}
    with (
        running(tmp_path, embedded_engine=False, **allowance) as installation,
        httpx.Client(base_url=f"{installation.url}/pidgr.v1.InviteLinkService/") as client,
    ):
        answers = [client.post("ValidateInviteLink", json={"token": "x"}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [404] * 10 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 6
    assert "10 per minute" in answers[-1].json()["message"]


def test_development_shows_the_code_on_the_console(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ""

    def console() -> str:
        nonlocal shown
        shown += capsys.readouterr().out
        return shown

    with running(tmp_path, development=True) as installation:
        operations.found_organization(installation.system, "Acme", "ada@example.com")
        asked = httpx.post(f"{installation.url}/auth/code", json={"email": "ada@example.com"})
        until(lambda: "ada@example.com" in console())
        (code,) = re.findall(r"(?<!\d)\d{6}(?!\d)", shown)
        answer = httpx.post(
            f"{installation.url}/auth/verify",
            content=json.dumps({"attempt_id": asked.json()["attempt_id"], "code": code}),
            headers={"content-type": "application/json; charset=utf-8"},
        )
        assert answer.status_code == 200


def test_without_a_mail_server_callers_get_the_same_answer_and_the_operator_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ""

    def console() -> str:
        nonlocal said
        captured = capsys.readouterr()
        said += captured.out + captured.err
        return said

    with running(tmp_path) as installation:
        operations.found_organization(installation.system, "Acme", "ada@example.com")
        known, unknown = (
            httpx.post(f"{installation.url}/auth/code", json={"email": email})
            for email in ("ada@example.com", "nobody@example.com")
        )
        assert known.status_code == unknown.status_code == 200
        assert known.json().keys() == unknown.json().keys()
        until(lambda: "PIDGR_SMTP_URL" in console())
