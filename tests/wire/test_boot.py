"""The assembled server comes up on an empty database of either kind: the first thing to look at."""

import httpx
from support.grpc_client import Client
from support.running import Installation


def test_a_fresh_server_is_ready_for_its_first_organization(
    installation: Installation, client: Client
) -> None:
    with httpx.Client(base_url=installation.url) as browser:
        assert browser.get("/healthz").json() == {"status": "ok"}
        assert browser.get("/readyz").json() == {"status": "ready"}
        assert "pidgr" in browser.get("/metrics").text
    organization = installation.found("First")
    found = client("OrganizationService/GetOrganization", organization.api_key).organization
    assert (found.id, found.name) == (organization.id, "First")
    (member,) = client("MemberService/ListUsers", organization.api_key).users
    assert member.id == organization.admin_id
