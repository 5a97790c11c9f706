"""Administrators, a directory and people change the same members at once; all stays whole."""

import itertools
import random
import threading
import uuid
from collections.abc import Callable
from typing import Any, cast

import grpc
from support.grpc_client import Client, Organization
from support.running import Installation
from support.scim import USER, Directory, scim_token
from support.waiting import at_once

from pidgr.errors import PidgrError
from pidgr.storage.sql import Statement

WRITERS = 6
CALLS_OF_EACH = 60
REFUSALS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    # Of a device whose person has been shut out since.
    grpc.StatusCode.UNAUTHENTICATED,
}
MEMBERS = Statement("""
    select m.id, m.manager_id from member m join organization o on o.key = m.organization_key
    where o.id = :id
""")
COUNTS = Statement("""
    select c.members, (select count(*) from member m where m.organization_key = o.key)
    from member_count c join organization o on o.key = c.organization_key where o.id = :id
    union all
    select g.member_count, (select count(*) from recipient_group_member x
                            where x.recipient_group_key = g.key)
    from recipient_group g join organization o on o.key = g.organization_key where o.id = :id
    union all
    select t.member_count, (select count(*) from team_member x where x.team_key = t.key)
    from team t join organization o on o.key = t.organization_key where o.id = :id
""")
REACHABLE = Statement("""
    select d.id from device d
    join organization o on o.key = d.organization_key
    left join member m on m.key = d.member_key
    where o.id = :id and (m.key is null or (d.active and m.status = :deactivated))
""")


class Company:
    """An organization whose few members are changed by everybody."""

    def __init__(self, installation: Installation, client: Client, tenant: Organization) -> None:
        self.installation, self.client, self.tenant = installation, client, tenant
        self.lock = threading.Lock()
        self.ids: list[str] = []
        self.codes: set[Any] = set()
        self.group = self.call("GroupService/CreateGroup", name="Night shift").group.id
        self.team = self.call("TeamService/CreateTeam", name="Kitchen").team.id
        self.roles: list[str] = [one.id for one in self.call("RoleService/ListRoles").roles]
        self.scim = scim_token(client, tenant.api_key)
        for number in range(WRITERS):
            self.invite(f"first{number}@example.com")

    def call(self, rpc: str, credential: str = "", **fields: Any) -> Any:
        """Call, note the code and return the answer, None when refused."""
        try:
            answer = self.client(rpc, credential or self.tenant.api_key, **fields)
        except grpc.RpcError as error:
            self.codes.add(cast("grpc.Call", error).code())
            return None
        self.codes.add(grpc.StatusCode.OK)
        return answer

    def invite(self, email: str, **fields: Any) -> None:
        answer = self.call("MemberService/InviteUser", email=email, **fields)
        if answer is not None:
            with self.lock:
                self.ids.append(answer.user.id)

    def rows(self, statement: Statement, **values: object) -> list[Any]:
        parameters = {"id": self.tenant.id, **values}
        return self.installation.system.database.read_now(
            lambda reader: reader.rows(statement, parameters)
        )


class Writer:
    """Somebody who changes members drawn anew each time."""

    def __init__(self, company: Company, drawn: random.Random, directory: Directory) -> None:
        self.company, self.drawn, self.directory = company, drawn, directory
        self.stubs, self.call = company.client.stubs, company.call

    def some(self, count: int) -> list[str]:
        with self.company.lock:
            return self.drawn.sample(self.company.ids, count)

    def one(self) -> dict[str, str]:
        return {"user_id": self.some(1)[0]}

    def address(self) -> str:
        return f"p{self.drawn.randrange(20)}@example.com"

    def addresses(self) -> list[str]:
        return [self.address() for _ in range(5)]

    def role(self) -> str:
        return self.drawn.choice(self.company.roles)

    def manager(self) -> Any:
        return self.stubs.UserProfile(manager_id=self.some(1)[0])

    def erase(self) -> None:
        anonymize = self.drawn.random() < 0.5
        asked = self.call("PrivacyService/DeleteUserData", **self.one(), anonymize=anonymize)
        if asked is None:
            return
        requests = self.call("PrivacyService/ListPrivacyRequests", page_size=100).requests
        email = next(this.user_email for this in requests if this.id == asked.request_id)
        rpc = self.drawn.choice(["ImmediateDelete", "CancelDeletion"])
        fields = {"request_id": asked.request_id, "confirmation_email": email}
        self.call(f"PrivacyService/{rpc}", **fields)

    def provision(self) -> None:
        person = {"schemas": [USER], "userName": self.address(), "active": True}
        assert self.directory("POST", "Users", person).status_code in {201, 409}

    def turn(self) -> None:
        change = {"op": "replace", "path": "active", "value": self.drawn.random() < 0.5}
        answer = self.directory.patch(f"Users/{self.some(1)[0]}", change)
        # Whose role allows more than the token may give is not let in again by it.
        assert answer.status_code in {200, 403, 404}

    def register(self) -> None:
        try:
            token = self.company.installation.token(self.some(1)[0])
        except PidgrError:
            return
        device_id = str(uuid.UUID(int=self.drawn.randrange(10)))
        fields = {"platform": self.stubs.PLATFORM_IOS, "push_token": "a token"}
        self.call("DeviceService/Register", token, device_id=device_id, **fields)

    def deeds(self) -> list[Callable[[], Any]]:
        call, some, one = self.call, self.some, self.one
        group, team = {"group_id": self.company.group}, {"team_id": self.company.team}
        return [
            lambda: self.company.invite(self.address(), profile=self.manager()),
            lambda: call("MemberService/BulkInviteUsers", emails=self.addresses()),
            lambda: call("MemberService/RevokeInvite", **one()),
            lambda: call("MemberService/DeactivateUser", **one()),
            lambda: call("MemberService/ReactivateUser", **one()),
            lambda: call("MemberService/UpdateUserRole", **one(), role_id=self.role()),
            lambda: call("MemberService/UpdateUserProfile", **one(), profile=self.manager()),
            lambda: call("GroupService/AddGroupMembers", **group, user_ids=some(2)),
            lambda: call("GroupService/RemoveGroupMembers", **group, user_ids=some(2)),
            lambda: call("TeamService/AddTeamMembers", **team, user_ids=some(2)),
            self.erase,
            self.provision,
            self.turn,
            self.register,
        ]


def goes_round(managers: dict[str, str], user_id: str) -> bool:
    met: set[str] = set()
    while user_id and user_id not in met:
        met.add(user_id)
        user_id = managers[user_id]
    return bool(user_id)


def test_whatever_is_done_at_once_the_directory_stays_whole(
    installation: Installation, client: Client
) -> None:
    company = Company(installation, client, installation.found())
    seeds = itertools.count()

    def work() -> None:
        with company.lock:
            drawn = random.Random(next(seeds))
        with Directory(installation, company.scim) as directory:
            deeds = Writer(company, drawn, directory).deeds()
            for _ in range(CALLS_OF_EACH):
                drawn.choice(deeds)()

    at_once(WRITERS, work)
    assert company.codes <= REFUSALS
    counts = company.rows(COUNTS)
    assert len(counts) == 1 + 2 + 2
    assert [kept for kept, _ in counts] == [counted for _, counted in counts]
    managers = dict(company.rows(MEMBERS))
    assert set(managers.values()) - {""} <= managers.keys()
    assert [one for one in managers if goes_round(managers, one)] == []
    stubs = client.stubs
    assert company.rows(REACHABLE, deactivated=stubs.USER_STATUS_DEACTIVATED) == []
