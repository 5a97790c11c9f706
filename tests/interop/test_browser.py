"""The documentation's connect-web example, in a real browser, on a page of another origin."""

from typing import Any

import pytest
from support.grpc_client import Organization
from support.node import NodeProject
from support.running import Installation


@pytest.fixture(scope="module")
def chromium(node: NodeProject) -> dict[str, str]:
    return node.browser()


def test_a_page_lists_campaigns_and_reads_retry_after(
    node: NodeProject,
    chromium: dict[str, str],
    server: Installation,
    limited_server: Installation,
    organization: Organization,
) -> None:
    variants: list[dict[str, Any]] = [
        {"protocol": "connect"},
        {"protocol": "connect", "get": True},
        {"protocol": "grpc-web"},
    ]
    fine = {"url": server.url, "apiKey": organization.api_key}
    listing = [("listCampaigns", {**fine, **variant}) for variant in variants]
    exhausting = [
        (
            "failingCall",
            {"url": limited_server.url, "apiKey": limited_server.found().api_key, **variant},
        )
        for variant in variants
    ]
    outcome = node.run("browser/visit", **chromium, calls=[*listing, *exhausting])
    assert outcome["origin"] != server.url
    assert outcome["outcomes"][:3] == [{"names": [], "total": 0}] * 3
    for refused in outcome["outcomes"][3:]:
        assert refused["code"] == "ResourceExhausted"
        assert 15 <= int(refused["retryAfter"]) <= 20
        assert refused["retryDelays"] == 1
        assert refused["requestId"]
