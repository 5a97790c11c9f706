"""scim2-tester, which knows the RFCs better than we do, against a running server."""

import httpx2
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server
from support.grpc_client import Client, Organization
from support.running import Installation
from support.scim import scim_token


def test_the_tester_finds_nothing(
    installation: Installation, client: Client, organization: Organization
) -> None:
    token = scim_token(client, organization.api_key)
    with httpx2.Client(
        base_url=f"{installation.url}/scim/v2",
        headers={"authorization": f"Bearer {token}"},
        timeout=60,
    ) as http:
        results = check_server(SyncSCIMClient(http))
    wrong = [f"{one.title}: {one.reason}" for one in results if one.status is Status.ERROR]
    assert wrong == []
    passed = {one.title for one in results if one.status is Status.SUCCESS}
    # It passes over what it cannot find.
    assert {"object_creation", "check_replace_attribute", "check_remove_attribute"} <= passed
    assert {one.resource_type for one in results} >= {"User", "Group"}
