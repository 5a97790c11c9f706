"""The official TypeScript clients: Connect, gRPC and gRPC-Web, binary and JSON, from Node."""

import itertools
import uuid
from typing import Any

import pytest
from support.grpc_client import Organization
from support.node import NodeProject
from support.running import Installation

VARIANTS = [
    *itertools.product(["connect"], ["1.1", "2"], ["binary", "json"]),
    *itertools.product(["grpc"], ["2"], ["binary", "json"]),
    *itertools.product(["grpc-web"], ["1.1", "2"], ["binary", "json"]),
]


@pytest.fixture(params=VARIANTS, ids=" ".join)
def options(request: pytest.FixtureRequest) -> dict[str, Any]:
    protocol, http_version, encoding = request.param
    return {"protocol": protocol, "httpVersion": http_version, "binary": encoding == "binary"}


def core_path(
    node: NodeProject, server: Installation, organization: Organization, **options: Any
) -> Any:
    return node.run(
        "core_path/corePath",
        server={"url": server.url, **options},
        adminKey=organization.api_key,
        person=organization.admin_id,
        personToken=server.token(organization.admin_id),
    )


def test_a_campaign_runs_from_its_template_to_the_acknowledgement(
    node: NodeProject, server: Installation, organization: Organization, options: dict[str, Any]
) -> None:
    outcome = core_path(node, server, organization, **options)
    assert outcome == {
        "statuses": ["CREATED", "RUNNING", "RUNNING"],
        "recipients": [1, 1, 1],
        "delivered": "SENT",
        "bodyIntact": True,
        "sender": "People team",
        "label": "Got it",
        "submitted": True,
        "completed": 1,
        "final": ["ACKNOWLEDGED"],
        "httpMethods": ["POST"],
        "encodings": ["identity"],
    }


@pytest.mark.parametrize("http_version", ["1.1", "2"])
@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
def test_reads_may_be_http_gets(
    node: NodeProject,
    server: Installation,
    organization: Organization,
    http_version: str,
    *,
    binary: bool,
) -> None:
    outcome = core_path(
        node,
        server,
        organization,
        protocol="connect",
        httpVersion=http_version,
        binary=binary,
        get=True,
    )
    assert outcome["final"] == ["ACKNOWLEDGED"]
    assert outcome["httpMethods"] == ["GET", "POST"]


@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpc-web"])
def test_requests_and_answers_may_be_compressed(
    node: NodeProject, server: Installation, organization: Organization, protocol: str
) -> None:
    outcome = core_path(
        node,
        server,
        organization,
        protocol=protocol,
        httpVersion="2",
        binary=True,
        gzip=True,
    )
    assert outcome["bodyIntact"]
    assert outcome["final"] == ["ACKNOWLEDGED"]
    assert outcome["encodings"] == ["gzip"]


def test_errors_carry_their_code_sentence_and_details(
    node: NodeProject, server: Installation, organization: Organization, options: dict[str, Any]
) -> None:
    outcome = node.run(
        "errors/errors",
        server={"url": server.url, **options},
        adminKey=organization.api_key,
        missingId=str(uuid.uuid4()),
    )
    codes = {name: error["code"] for name, error in outcome.items()}
    assert codes == {
        "malformed": "InvalidArgument",
        "missing": "NotFound",
        "duplicate": "AlreadyExists",
        "anonymous": "Unauthenticated",
        "impostor": "Unauthenticated",
        "deadline": "DeadlineExceeded",
    }
    reasons = {name: error["reasons"] for name, error in outcome.items() if name != "deadline"}
    assert reasons == {
        "malformed": ["pidgr.v1/INVALID_ARGUMENT"],
        "missing": ["pidgr.v1/NOT_FOUND"],
        "duplicate": ["pidgr.v1/ALREADY_EXISTS"],
        "anonymous": ["pidgr.v1/UNAUTHENTICATED"],
        "impostor": ["pidgr.v1/UNAUTHENTICATED"],
    }
    assert outcome["malformed"]["violations"] == ["campaign_id"]
    assert "Ærø 日本" in outcome["duplicate"]["message"]
    assert outcome["deadline"]["statuses"] == ["SERVING"]
    assert all(error["requestId"] for name, error in outcome.items() if name != "deadline")


@pytest.mark.parametrize("protocol", ["connect", "grpc", "grpc-web"])
def test_a_refused_call_says_once_when_to_try_again(
    node: NodeProject, limited_server: Installation, protocol: str
) -> None:
    outcome = node.run(
        "errors/rateLimit",
        server={"url": limited_server.url, "protocol": protocol, "httpVersion": "2"},
        adminKey=limited_server.found().api_key,
    )
    assert (outcome["code"], outcome["answered"]) == ("ResourceExhausted", 5)
    assert 15 <= int(outcome["retryAfter"]) <= 20
    (delay,) = outcome["retryDelays"]
    assert int(outcome["retryAfter"]) - 1 <= delay <= int(outcome["retryAfter"])
