"""Every RPC of the contract, knocked at with every kind of credential."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass
from support.grpc_client import Client, Organization, compiled_stubs
from support.running import Installation

from pidgr.contract.v1.common_pb import Permission
from pidgr.identity import operator, permissions
from pidgr.rpc.policy import POLICY, Access
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction

_ORGANIZATION_KEY = Statement("select key from organization where id = :id")
_EXPIRE = Statement("update api_key set expires_at = 1 where digest = :digest")
_SUSPEND = Statement("update organization set suspended = :suspended where id = :id")
_DEACTIVATE = Statement("update member set status = 3 where id = :id")


@dataclass(frozen=True)
class Rpc:
    """One method, as protoc's descriptors know it."""

    name: str
    request: Any
    answer: Any
    streams: bool

    @property
    def path(self) -> str:
        return f"/pidgr.v1.{self.name}"


def rpcs() -> Iterator[Rpc]:
    compiled_stubs()
    pool = descriptor_pool.Default()
    for service in sorted({name.partition("/")[0] for name in POLICY}):
        for method in pool.FindServiceByName(f"pidgr.v1.{service}").methods:
            yield Rpc(
                f"{service}/{method.name}",
                GetMessageClass(method.input_type),
                GetMessageClass(method.output_type),
                bool(method.server_streaming),
            )


RPCS = list(rpcs())
METHODS = {rpc.name: rpc for rpc in RPCS}
NEEDS_A_CREDENTIAL = [rpc for rpc in RPCS if POLICY[rpc.name].access is not Access.PUBLIC]


def knock(client: Client, rpc: Rpc, *authorization: str) -> tuple[grpc.StatusCode, str]:
    """Call with an empty request and return code and message."""
    metadata = tuple(("authorization", value) for value in authorization)
    coding = (rpc.request.SerializeToString, rpc.answer.FromString)
    channel = client.channel
    call: Any = channel.unary_stream if rpc.streams else channel.unary_unary
    call = call(rpc.path, *coding) if rpc.streams else call(rpc.path, *coding).future
    ended = call(rpc.request(), metadata=metadata, timeout=30)
    return ended.code(), ended.details()


def api_key(installation: Installation, organization: Organization, *granted: Permission) -> str:
    def work(transaction: Transaction) -> str:
        key = transaction.value(_ORGANIZATION_KEY, {"id": organization.id})
        return operator.create_api_key(transaction, key, "test", granted, 1)

    return installation.system.database.write_now(work)


def change(installation: Installation, statement: Statement, **parameters: object) -> None:
    changed = installation.system.database.write_now(
        lambda transaction: transaction.execute(statement, parameters)
    )
    assert changed == 1


@pytest.fixture(scope="module")
def organization(installation: Installation) -> Organization:
    return installation.found()


def refused(client: Client, *authorization: str) -> dict[str, tuple[grpc.StatusCode, str]]:
    """Return what all RPCs that need a credential answer; nothing else may pass."""
    return {rpc.name: knock(client, rpc, *authorization) for rpc in NEEDS_A_CREDENTIAL}


def test_the_walk_covers_the_whole_contract() -> None:
    assert {rpc.name for rpc in RPCS} == set(POLICY)
    assert len(RPCS) >= 88


@pytest.mark.parametrize(
    "authorization",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer x"],
        ["Basic YWRhOnNlY3JldA=="],
        ["Bearer pidgr_k_" + "x" * 43],
        ["Bearer pidgr_scim_" + "x" * 43],
        ["Bearer " + "x" * 9_000],
        ["Bearer a.b.c"],
        ["Bearer ...."],
        ["Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."],
    ],
    ids=lambda value: value[0][:22] if value else "nothing",
)
def test_nothing_opens_without_a_valid_credential(client: Client, authorization: list[str]) -> None:
    answers = refused(client, *authorization)
    assert {code for code, _ in answers.values()} == {grpc.StatusCode.UNAUTHENTICATED}
    assert len({message for _, message in answers.values()}) == 1


def test_a_header_sent_twice_is_no_credential(client: Client, organization: Organization) -> None:
    good = f"Bearer {organization.api_key}"
    answers = refused(client, "Bearer x", good)
    assert {code for code, _ in answers.values()} == {grpc.StatusCode.UNAUTHENTICATED}


def test_public_rpcs_open_without_a_credential_and_whatever_is_sent(client: Client) -> None:
    for rpc in RPCS:
        if POLICY[rpc.name].access is Access.PUBLIC:
            for authorization in ([], ["Bearer x"]):
                code, _ = knock(client, rpc, *authorization)
                assert code not in {
                    grpc.StatusCode.UNAUTHENTICATED,
                    grpc.StatusCode.PERMISSION_DENIED,
                    grpc.StatusCode.INTERNAL,
                }


def test_a_key_without_permissions_is_told_which_it_needs(
    installation: Installation, client: Client, organization: Organization
) -> None:
    credential = f"Bearer {api_key(installation, organization)}"
    for rpc in NEEDS_A_CREDENTIAL:
        rule = POLICY[rpc.name]
        code, message = knock(client, rpc, credential)
        if rule.any_of and rule.access is Access.MEMBER:
            names = " or ".join(permission.name for permission in rule.any_of)
            assert (code, message) == (
                grpc.StatusCode.PERMISSION_DENIED,
                f"requires {names} permission",
            ), rpc.name
        elif rule.access is not Access.MEMBER:
            assert code is grpc.StatusCode.PERMISSION_DENIED, rpc.name
        else:
            assert code is not grpc.StatusCode.INTERNAL, rpc.name


def test_each_permission_alone_opens_exactly_what_the_table_says(
    installation: Installation, client: Client, organization: Organization
) -> None:
    for permission in sorted(permissions.ASSIGNABLE):
        credential = f"Bearer {api_key(installation, organization, permission)}"
        for rpc in NEEDS_A_CREDENTIAL:
            rule = POLICY[rpc.name]
            if not rule.any_of or rule.access is not Access.MEMBER:
                continue
            code, message = knock(client, rpc, credential)
            denied = code is grpc.StatusCode.PERMISSION_DENIED and message.startswith("requires")
            assert denied is (permission not in rule.any_of), (rpc.name, permission.name, message)


def test_no_key_acts_for_a_person_or_as_a_part_of_the_system(
    client: Client, organization: Organization
) -> None:
    credential = f"Bearer {organization.api_key}"
    for rpc in NEEDS_A_CREDENTIAL:
        if POLICY[rpc.name].access is not Access.MEMBER:
            code, message = knock(client, rpc, credential)
            assert code is grpc.StatusCode.PERMISSION_DENIED, rpc.name
            assert not message.startswith("requires"), rpc.name


def test_internal_rpcs_are_closed_to_people_too(
    installation: Installation, client: Client, organization: Organization
) -> None:
    credential = f"Bearer {installation.token(organization.admin_id)}"
    for rpc in RPCS:
        if POLICY[rpc.name].access is Access.INTERNAL:
            assert knock(client, rpc, credential)[0] is grpc.StatusCode.PERMISSION_DENIED


def test_with_every_permission_no_rpc_breaks_on_an_empty_request(
    installation: Installation, client: Client
) -> None:
    organization = installation.found()
    token = installation.token(organization.admin_id)
    for credential in (organization.api_key, token):
        codes = {rpc.name: knock(client, rpc, f"Bearer {credential}")[0] for rpc in RPCS}
        broken = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE}
        assert {name for name, code in codes.items() if code in broken} == set()


def test_every_rpc_of_the_contract_is_offered(installation: Installation, client: Client) -> None:
    organization = installation.found()
    token = installation.token(organization.admin_id)
    missing = {
        rpc.name
        for rpc in RPCS
        if knock(client, rpc, f"Bearer {token}")[0] is grpc.StatusCode.UNIMPLEMENTED
    }
    assert missing == set()


def test_an_expired_key_is_refused_everywhere(
    installation: Installation, client: Client, organization: Organization
) -> None:
    from pidgr.identity.api_keys import digest

    key = api_key(installation, organization, *permissions.ASSIGNABLE)
    rpc = METHODS["TeamService/ListTeams"]
    assert knock(client, rpc, f"Bearer {key}")[0] is grpc.StatusCode.OK
    change(installation, _EXPIRE, digest=digest(key))
    answers = refused(client, f"Bearer {key}")
    assert {code for code, _ in answers.values()} == {grpc.StatusCode.UNAUTHENTICATED}


def test_a_deactivated_members_token_is_refused_everywhere(
    installation: Installation, client: Client, organization: Organization
) -> None:
    token = installation.token(_invite(client, organization))
    rpc = METHODS["MemberService/GetUser"]
    assert knock(client, rpc, f"Bearer {token}")[0] is grpc.StatusCode.OK
    change(installation, _DEACTIVATE, id=_last_invited(client, organization))
    answers = refused(client, f"Bearer {token}")
    assert {code for code, _ in answers.values()} == {grpc.StatusCode.UNAUTHENTICATED}


def _invite(client: Client, organization: Organization) -> str:
    invited = client(
        "MemberService/InviteUser",
        organization.api_key,
        email="leaver@example.com",
        name="Leaver",
    )
    return str(invited.user.id)


def _last_invited(client: Client, organization: Organization) -> str:
    users = client("MemberService/ListUsers", organization.api_key).users
    return next(str(user.id) for user in users if user.email == "leaver@example.com")


def test_a_suspended_organization_reads_itself_and_nothing_else(
    installation: Installation, client: Client
) -> None:
    organization = installation.found()
    token = installation.token(organization.admin_id)
    change(installation, _SUSPEND, id=organization.id, suspended=True)
    for credential in (organization.api_key, token):
        for rpc in NEEDS_A_CREDENTIAL:
            code, message = knock(client, rpc, f"Bearer {credential}")
            if rpc.name == "OrganizationService/GetOrganization":
                assert code is grpc.StatusCode.OK
            elif POLICY[rpc.name].access is not Access.IDENTITY:
                assert code is grpc.StatusCode.PERMISSION_DENIED, rpc.name
                if POLICY[rpc.name].access is Access.MEMBER:
                    assert "suspended" in message
    change(installation, _SUSPEND, id=organization.id, suspended=False)
    client("TeamService/ListTeams", organization.api_key)


def test_garbage_after_a_good_key_is_another_key(
    client: Client, organization: Organization
) -> None:
    rpc = METHODS["TeamService/ListTeams"]
    for wrong in (
        organization.api_key + "x",
        organization.api_key[:-1],
        organization.api_key.swapcase(),
        f"{organization.api_key} {secrets.token_hex(4)}",
    ):
        assert knock(client, rpc, f"Bearer {wrong}")[0] is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_written_in_any_letter_case(
    client: Client, organization: Organization, scheme: str
) -> None:
    rpc = METHODS["TeamService/ListTeams"]
    code, _ = knock(client, rpc, f"{scheme} {organization.api_key}")
    assert code is grpc.StatusCode.OK
