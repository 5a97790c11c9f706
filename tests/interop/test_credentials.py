"""Nobody gets in without a credential: every RPC, every protocol, over the wire."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from support.grpc_client import Stubs
from support.running import Installation

from interop.protocols import CONNECT_STREAM, PROTOCOLS, call

PUBLIC = {
    "/pidgr.v1.CampaignService/GetCampaignByShortCode",
    "/pidgr.v1.InviteLinkService/ValidateInviteLink",
    "/pidgr.v1.SSOService/CheckSSOByDomain",
    "/pidgr.v1.TokenService/ValidateDeeplinkToken",
}
BAD_CREDENTIALS = {"none": None, "made up": "pidgr_k_" + "x" * 43, "no token at all": "a.b.c"}


def methods(stubs: Stubs) -> Iterator[tuple[str, Any]]:
    for module in stubs.modules:
        descriptor = getattr(module, "DESCRIPTOR", None)
        for service in descriptor.services_by_name.values() if descriptor else ():
            for method in service.methods:
                yield f"/{service.full_name}/{method.name}", method


@pytest.fixture(scope="module")
def paths(stubs: Stubs) -> dict[str, Any]:
    found = dict(methods(stubs))
    assert len(found) >= 88
    assert found.keys() > PUBLIC
    return found


@pytest.mark.parametrize("credential", BAD_CREDENTIALS.values(), ids=BAD_CREDENTIALS.keys())
def test_every_rpc_but_the_public_ones_refuses_grpc_calls(
    server: Installation, paths: dict[str, Any], credential: str | None
) -> None:
    metadata = (("authorization", f"Bearer {credential}"),) if credential else ()
    refused = set()
    with grpc.insecure_channel(server.address) as channel:
        for path in paths:
            request: Any = channel.unary_stream(path)
            with pytest.raises(grpc.RpcError) as raised:
                list(request(b"", metadata=metadata, timeout=20))
            if raised.value.code() == grpc.StatusCode.UNAUTHENTICATED:
                refused.add(path)
    assert refused == paths.keys() - PUBLIC


@pytest.mark.parametrize("credential", BAD_CREDENTIALS.values(), ids=BAD_CREDENTIALS.keys())
@pytest.mark.parametrize("protocol", ["connect json", "connect proto", "grpc", "grpc-web"])
def test_every_rpc_but_the_public_ones_refuses_calls_over_http1(
    server: Installation, paths: dict[str, Any], protocol: str, credential: str | None
) -> None:
    refused = set()
    for path, method in paths.items():
        spoken = PROTOCOLS[protocol]
        if method.server_streaming and not spoken.enveloped:
            spoken = CONNECT_STREAM
        message = b"{}" if protocol == "connect json" else b""
        outcome = call(server.address, path, spoken, spoken.body(message), credential=credential)
        assert outcome.code != "ok"
        if outcome.code == "unauthenticated":
            refused.add(path)
    assert refused == paths.keys() - PUBLIC


def test_the_credential_is_asked_for_before_the_body_is_read(server: Installation) -> None:
    for name in ("connect json", "connect proto", "grpc", "grpc-web"):
        protocol = PROTOCOLS[name]
        path = "/pidgr.v1.CampaignService/CreateCampaign"
        outcome = call(server.address, path, protocol, b"\xff" * 1000)
        assert outcome.code == "unauthenticated"
