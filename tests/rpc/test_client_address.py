"""Whom a request is counted against."""

import ipaddress
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.running import running

from pidgr.rpc.client_address import client_name, original_client
from pidgr.settings import Settings

OURS = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7")]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:5:6:7:8:9:a", "2001:db8:5:6::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_an_ipv6_client_is_its_site_and_a_mapped_address_the_one_it_maps(
    host: str, name: str
) -> None:
    assert client_name(host) == name


@pytest.mark.parametrize(
    ("peer", "reported", "client"),
    [
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["8.8.8.8, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["8.8.8.8, 203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.0.0.1", ["8.8.8.8", "203.0.113.9", "10.9.9.9,192.0.2.7"], "203.0.113.9"),
        ("10.0.0.1", ["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
        ("10.0.0.1", ["203.0.113.9:5123"], "203.0.113.9"),
        ("10.0.0.1", ["[2001:db8:2::1]:5123"], "2001:db8:2::1"),
        ("10.0.0.1", ["2001:db8:2::1, 2001:db8:1::5"], "2001:db8:2::1"),
        ("::ffff:10.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["203.0.113.9,"], "10.0.0.1"),
        ("10.0.0.1", ["<script>, 10.0.0.2"], "10.0.0.2"),
        ("not an address", ["203.0.113.9"], "not an address"),
    ],
)
def test_a_report_counts_as_far_as_trusted_proxies_made_it(
    peer: str, reported: list[str], client: str
) -> None:
    assert original_client(peer, reported, OURS) == client


def statuses(url: str, clients: list[str]) -> list[int]:
    return [
        httpx.post(
            f"{url}/auth/refresh",
            json={"refresh_token": "x"},
            headers={"x-forwarded-for": client},
        ).status_code
        for client in clients
    ]


SLOW: dict[str, Any] = {
    "embedded_engine": False,
    "sign_in_limit_per_second": 0.001,
    "sign_in_limit_burst": 2,
}


def test_without_the_setting_the_header_says_nothing(tmp_path: Path) -> None:
    with running(tmp_path, **SLOW) as installation:
        sent = statuses(installation.url, ["203.0.113.1", "203.0.113.2", "203.0.113.3"])
    assert sent == [401, 401, 429]


def test_behind_a_trusted_proxy_each_client_has_its_own_allowance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIDGR_TRUSTED_PROXIES", "127.0.0.0/8, ::1")
    assert len(Settings().trusted_proxies) == 2
    one, other = "203.0.113.1", "203.0.113.2"
    with running(tmp_path, **SLOW) as installation:
        sent = statuses(installation.url, [one, one, one, other, f"{other}, {one}", other])
    assert sent == [401, 401, 429, 401, 429, 401]
