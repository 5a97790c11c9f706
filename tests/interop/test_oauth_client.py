"""OAuth with npm's oauth4webapi, which checks what it is answered, and a person in Chromium."""

from support.node import NodeProject
from support.visitor import Visitor


def test_a_client_that_is_not_ours_finds_the_server_and_keeps_and_loses_its_tokens(
    node: NodeProject, visitor: Visitor
) -> None:
    url = visitor.scenario["url"]
    seen = node.run("oauth/live", **visitor.scenario)
    assert seen == {
        "found": {"status": 401, "resource": url, "issuer": url},
        "scope": "campaigns:read members:read",
        "first": 200,
        "rotated": True,
        "second": 200,
        "reused": "invalid_grant",
        "afterReuse": "invalid_grant",
        "callAfterReuse": 401,
        "third": 200,
        "codeAgain": "invalid_grant",
        "callAfterCodeAgain": 401,
        "wrongVerifier": "invalid_grant",
        "afterRevocation": "invalid_grant",
        "callAfterRevocation": 401,
    }
