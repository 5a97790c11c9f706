"""Idempotency-Key on mutating calls, as any gRPC client can send it: metadata."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest
from support.grpc_client import Client, Organization
from support.running import Installation
from support.story import Story


def send(client: Client, rpc: str, credential: str, key: str, **fields: Any) -> Any:
    service, _, method = rpc.partition("/")
    stub = getattr(client.stubs, f"{service}Stub")(client.channel)
    request = getattr(client.stubs, f"{method}Request")(**fields)
    metadata = [("authorization", f"Bearer {credential}"), ("idempotency-key", key)]
    return getattr(stub, method)(request, metadata=metadata, timeout=60)


def team_count(client: Client, organization: Organization) -> int:
    listed = client("TeamService/ListTeams", organization.api_key)
    return int(listed.pagination_meta.total_count)


def test_a_repeat_gets_the_first_answer_and_does_nothing(
    client: Client, organization: Organization
) -> None:
    before = team_count(client, organization)
    key = str(uuid.uuid4())
    first = send(client, "TeamService/CreateTeam", organization.api_key, key, name="Twice")
    again = send(client, "TeamService/CreateTeam", organization.api_key, key, name="Twice")
    assert again == first
    assert team_count(client, organization) == before + 1


def test_another_request_under_the_key_is_refused(
    client: Client, organization: Organization
) -> None:
    before = team_count(client, organization)
    key = str(uuid.uuid4())
    send(client, "TeamService/CreateTeam", organization.api_key, key, name="One")
    with pytest.raises(grpc.RpcError) as refused:
        send(client, "TeamService/CreateTeam", organization.api_key, key, name="Other")
    assert refused.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert team_count(client, organization) == before + 1


def test_a_refused_call_may_be_mended_under_the_same_key(
    client: Client, organization: Organization
) -> None:
    key = str(uuid.uuid4())
    with pytest.raises(grpc.RpcError) as refused:
        send(client, "TeamService/CreateTeam", organization.api_key, key, name="")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    made = send(client, "TeamService/CreateTeam", organization.api_key, key, name="Mended")
    assert made.team.name == "Mended"


def test_the_order_of_maps_makes_no_other_request(
    installation: Installation, organization: Organization
) -> None:
    key = str(uuid.uuid4())
    pairs = [(f"key{number}", str(number)) for number in range(8)]

    def ask(order: list[tuple[str, str]]) -> httpx.Response:
        profile = {"title": "Fitter", "customAttributes": dict(order)}
        return httpx.post(
            f"{installation.url}/pidgr.v1.MemberService/UpdateUserProfile",
            json={"userId": organization.admin_id, "profile": profile},
            headers={"authorization": f"Bearer {organization.api_key}", "idempotency-key": key},
        )

    first = ask(pairs)
    assert first.status_code == 200, first.text
    assert ask(pairs[::-1]).json() == first.json()
    refused = ask([*pairs[:-1], ("key7", "another")])
    assert (refused.status_code, refused.json()["code"]) == (409, "already_exists")


def test_twenty_at_once_do_it_once(client: Client, organization: Organization) -> None:
    before = team_count(client, organization)
    key = str(uuid.uuid4())

    def once(_: int) -> Any:
        return send(client, "TeamService/CreateTeam", organization.api_key, key, name="Race")

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(once, range(20)))
    assert len({answer.team.id for answer in answers}) == 1
    assert team_count(client, organization) == before + 1


def test_the_key_belongs_to_its_caller_and_method(
    installation: Installation, client: Client, organization: Organization
) -> None:
    key = str(uuid.uuid4())
    mine = send(client, "TeamService/CreateTeam", organization.api_key, key, name="Same")
    other = installation.found()
    theirs = send(client, "TeamService/CreateTeam", other.api_key, key, name="Same")
    assert theirs.team.id != mine.team.id
    template = send(
        client, "TemplateService/CreateTemplate", organization.api_key, key, name="t", body="b"
    )
    assert template.template.id


def test_an_acknowledgement_can_be_repeated_safely(
    installation: Installation, client: Client, organization: Organization
) -> None:
    story = Story(installation, client, organization, people=2)
    campaign = story.start()
    token = story.tokens[story.user_ids[0]]
    (entry,) = client("InboxService/Sync", token).entries
    fields = {"delivery_id": entry.delivery_id, "action_id": entry.message.actions[0].id}
    for _ in range(2):
        assert send(client, "ActionService/SubmitAction", token, "tap-1", **fields).success
    late = client.error("ActionService/SubmitAction", token, **fields)
    assert late.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert story.get(campaign.id).action_completed_count == 1


def test_a_secret_in_a_remembered_answer_is_not_readable_in_the_database(
    installation: Installation, client: Client, organization: Organization
) -> None:
    from pidgr.storage.sql import Statement

    key = str(uuid.uuid4())
    fields = {"name": "robot", "permissions": [1]}
    made = send(client, "ApiKeyService/CreateApiKey", organization.api_key, key, **fields)
    again = send(client, "ApiKeyService/CreateApiKey", organization.api_key, key, **fields)
    assert again.key == made.key
    rows = installation.system.database.read_now(
        lambda reader: reader.rows(Statement("select sealed_answer from idempotency_key"))
    )
    assert rows
    assert all(made.key.encode() not in bytes(row[0] or b"") for row in rows)


@pytest.mark.parametrize("key", ["", "x" * 256, "with space"])
def test_a_malformed_key_is_named(client: Client, organization: Organization, key: str) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        send(client, "TeamService/CreateTeam", organization.api_key, key, name="Never")
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "idempotency-key" in str(refused.value.details())
