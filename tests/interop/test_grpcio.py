"""grpcio, with stubs that plain protoc made: TLS, h2c, reflection, health, deadlines, errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import (  # type: ignore[import-untyped]
    error_details_pb2,
    status_pb2,
)
from grpc_health.v1 import health_pb2, health_pb2_grpc  # type: ignore[import-untyped]
from grpc_reflection.v1alpha import reflection_pb2  # type: ignore[import-untyped]
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (  # type: ignore[import-untyped]
    ProtoReflectionDescriptorDatabase,
)
from support.grpc_client import Client, Organization, Stubs
from support.running import Installation
from support.serve_process import ServeProcess

from pidgr.rpc.app import CONTRACT

REFLECTION = ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]


@pytest.fixture
def channel(server: Installation) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture
def client(channel: grpc.Channel, stubs: Stubs) -> Client:
    return Client(channel, stubs)


def details(error: grpc.Call) -> list[Any]:
    """Decode ``grpc-status-details-bin`` as google.rpc.Status says."""
    trailers = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
    assert status.message == error.details()
    found = []
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.type_url.rpartition(".")[2])
        found.append(kind.FromString(packed.value))
    return found


def values(metadata: Any, key: str) -> list[str]:
    return [value for name, value in metadata or () if name == key]


def test_campaigns_are_listed_over_tls_with_a_bearer_token(tmp_path: Path, stubs: Stubs) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    process = ServeProcess(
        tmp_path, "--tls-cert", f"{tmp_path}/cert.pem", "--tls-key", f"{tmp_path}/key.pem"
    )
    organization = process.found()
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(authority.cert_pem.bytes()),
        grpc.access_token_call_credentials(organization.api_key),
    )
    with process:
        assert process.url.startswith("https://")
        target = f"localhost:{process.url.rpartition(':')[2]}"
        with grpc.secure_channel(target, credentials) as channel:
            request = stubs.ListCampaignsRequest(pagination=stubs.Pagination(page_size=10))
            listed = stubs.CampaignServiceStub(channel).ListCampaigns(request, timeout=20)
            assert listed.pagination_meta.total_count == 0
            assert process.terminate() == 0


def test_campaigns_are_listed_in_plain_text_with_prior_knowledge(
    client: Client, organization: Organization
) -> None:
    listed = client("CampaignService/ListCampaigns", organization.api_key)
    assert listed.pagination_meta.total_count == 0


@pytest.mark.parametrize("service", REFLECTION)
def test_reflection_names_every_service(channel: grpc.Channel, service: str) -> None:
    # The messages of v1 and v1alpha are the same on the wire.
    call: Any = channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    (answer,) = call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=20)
    names = [listed.name for listed in answer.list_services_response.service]
    assert len([name for name in names if name.startswith("pidgr.v1.")]) == len(CONTRACT)
    assert "grpc.health.v1.Health" in names


def test_a_client_without_our_protos_can_call_what_reflection_describes(
    channel: grpc.Channel, organization: Organization
) -> None:
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
    method = pool.FindServiceByName("pidgr.v1.TeamService").FindMethodByName("CreateTeam")
    call: Any = channel.unary_unary(
        "/pidgr.v1.TeamService/CreateTeam",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    request = GetMessageClass(method.input_type)(name="Found by reflection")
    created: Any = call(request, metadata=[("authorization", f"Bearer {organization.api_key}")])
    assert created.team.name == "Found by reflection"


def test_reflection_can_be_switched_off(tmp_path: Path) -> None:
    process = ServeProcess(tmp_path, reflection="false")
    with process, grpc.insecure_channel(process.address) as channel:
        for service in REFLECTION:
            call: Any = channel.stream_stream(f"/{service}/ServerReflectionInfo")
            with pytest.raises(grpc.RpcError) as refused:
                list(call(iter([b""]), timeout=20))
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
        health = health_pb2_grpc.HealthStub(channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=20).status == 1


def test_health_is_told_for_the_server_and_each_service(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "pidgr.v1.CampaignService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=20)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as refused:
        health.Check(health_pb2.HealthCheckRequest(service="pidgr.v1.Nothing"), timeout=20)
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_health_watch_tells_the_state_and_ends_with_its_deadline(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for service, state in (("", "SERVING"), ("pidgr.v1.Nothing", "SERVICE_UNKNOWN")):
        watch = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=0.3)
        assert next(watch).status == health_pb2.HealthCheckResponse.ServingStatus.Value(state)
        with pytest.raises(grpc.RpcError) as ended:
            next(watch)
        assert ended.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_health_watch_learns_of_the_end_and_does_not_hold_it_up(tmp_path: Path) -> None:
    process = ServeProcess(tmp_path, drain_seconds=60)
    with process, grpc.insecure_channel(process.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        assert process.terminate() == 0
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as ended:
            next(watch)
        assert ended.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("compression", [grpc.Compression.Gzip, grpc.Compression.NoCompression])
def test_requests_may_be_compressed(
    channel: grpc.Channel, stubs: Stubs, organization: Organization, compression: grpc.Compression
) -> None:
    body = "Please read it. " * 1000
    metadata = [("authorization", f"Bearer {organization.api_key}")]
    templates = stubs.TemplateServiceStub(channel)
    created = templates.CreateTemplate(
        stubs.CreateTemplateRequest(name="Policy", title="Policy", body=body),
        metadata=metadata,
        compression=compression,
        timeout=20,
    ).template
    assert created.body == body


@pytest.mark.parametrize("path", ["/pidgr.v1.TeamService/Nothing", "/pidgr.v1.Nothing/ListTeams"])
def test_an_unknown_rpc_is_unimplemented_in_words(channel: grpc.Channel, path: str) -> None:
    unary: Any = channel.unary_unary(path)
    streaming: Any = channel.stream_stream(path)
    with pytest.raises(grpc.RpcError) as refused:
        unary(b"", timeout=20)
    with pytest.raises(grpc.RpcError) as refused_stream:
        list(streaming(iter([b"", b""]), timeout=20))
    for error in (refused.value, refused_stream.value):
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED
        assert path in (error.details() or "")


def test_the_request_id_is_echoed(client: Client, organization: Organization) -> None:
    teams = client.stubs.TeamServiceStub(client.channel)
    request = client.stubs.ListTeamsRequest()
    bearer = ("authorization", f"Bearer {organization.api_key}")
    for offered, echoed in (("trace-42", True), ("a b", False), ("x" * 65, False)):
        _, call = teams.ListTeams.with_call(request, metadata=[bearer, ("x-request-id", offered)])
        (told,) = values(call.initial_metadata(), "x-request-id")
        assert (told == offered) is echoed
        assert told


def test_errors_carry_their_details(client: Client, organization: Organization) -> None:
    error = client.error("CampaignService/GetCampaign", organization.api_key, campaign_id="42")
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    info, request = details(error)
    assert (info.domain, info.reason) == ("pidgr.v1", "INVALID_ARGUMENT")
    assert [violation.field for violation in request.field_violations] == ["campaign_id"]


def test_a_refused_call_says_once_when_to_try_again(
    limited_server: Installation, stubs: Stubs
) -> None:
    organization = limited_server.found()
    with grpc.insecure_channel(limited_server.address) as channel:
        client = Client(channel, stubs)
        for _ in range(5):
            client("CampaignService/ListCampaigns", organization.api_key)
        error: Any = client.error("CampaignService/ListCampaigns", organization.api_key)
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    (seconds,) = values([*error.initial_metadata(), *error.trailing_metadata()], "retry-after")
    assert 15 <= int(seconds) <= 20
    info, retry = details(error)
    assert info.reason == "RESOURCE_EXHAUSTED"
    assert int(seconds) - 1 <= retry.retry_delay.ToTimedelta().total_seconds() <= int(seconds)
