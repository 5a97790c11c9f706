"""GroupService and TeamService behind one face: what holds for one holds for the other."""

from collections.abc import Sequence
from typing import Any

from pidgr.contract.v1 import group_pb, team_pb
from pidgr.contract.v1.common_pb import Pagination, Permission
from pidgr.contract.v1.group_pb import Group
from pidgr.contract.v1.team_pb import Team
from pidgr.directory.group_service import GroupService
from pidgr.directory.team_service import TeamService
from pidgr.identity.caller import Caller
from support.calls import Calls
from support.organization import Tenant

Collective = Group | Team
SERVICES = {"group": (GroupService, group_pb), "team": (TeamService, team_pb)}


class Collectives:
    """The groups or the teams of one organization, as its admin unless told otherwise."""

    def __init__(self, tenant: Tenant, noun: str) -> None:
        self.tenant = tenant
        self.noun = noun
        service, self._messages = SERVICES[noun]
        installation = tenant.installation
        self._calls = Calls(tenant, service(installation.clock, installation.page_tokens))

    def permission(self, name: str) -> Permission:
        """Return for example GROUPS_WRITE for "WRITE"."""
        return Permission[f"{self.noun.upper()}S_{name}"]

    def call(self, rpc: str, caller: Caller | None = None, **fields: Any) -> Any:
        """Call for example add_team_members for "add_{}_members"; ``id`` is its team_id."""
        name = rpc.format(self.noun)
        if "id" in fields:
            fields[f"{self.noun}_id"] = fields.pop("id")
        message = "".join(part.capitalize() for part in name.split("_"))
        return self._calls(name, getattr(self._messages, f"{message}Request")(**fields), caller)

    def _one(self, response: Any) -> Collective:
        found: Collective = getattr(response, self.noun)
        return found

    def create(self, name: str, description: str = "", caller: Caller | None = None) -> Collective:
        return self._one(self.call("create_{}", caller, name=name, description=description))

    def get(self, id_: str, caller: Caller | None = None) -> Collective:
        return self._one(self.call("get_{}", caller, id=id_))

    def update(
        self, id_: str, caller: Caller | None = None, *, name: str = "", description: str = ""
    ) -> Collective:
        fields = {"id": id_, "name": name, "description": description}
        return self._one(self.call("update_{}", caller, **fields))

    def delete(self, id_: str, caller: Caller | None = None) -> None:
        self.call("delete_{}", caller, id=id_)

    def add(self, id_: str, ids: Sequence[str], caller: Caller | None = None) -> Collective:
        return self._one(self.call("add_{}_members", caller, id=id_, user_ids=list(ids)))

    def remove(self, id_: str, ids: Sequence[str], caller: Caller | None = None) -> Collective:
        return self._one(self.call("remove_{}_members", caller, id=id_, user_ids=list(ids)))

    def page(
        self, size: int, token: str = "", caller: Caller | None = None
    ) -> tuple[list[str], str, int]:
        pagination = Pagination(page_size=size, page_token=token)
        response = self.call("list_{}s", caller, pagination=pagination)
        meta = response.pagination_meta
        names = [found.name for found in getattr(response, f"{self.noun}s")]
        return names, meta.next_page_token, meta.total_count

    def members(
        self, id_: str, size: int = 100, token: str = "", caller: Caller | None = None
    ) -> tuple[list[str], str, int]:
        pagination = Pagination(page_size=size, page_token=token)
        response = self.call("list_{}_members", caller, id=id_, pagination=pagination)
        meta = response.pagination_meta
        return [user.email for user in response.users], meta.next_page_token, meta.total_count

    def default(self) -> Collective:
        everyone = self.call("list_{}s", pagination=Pagination(page_size=100))
        found: Collective = next(
            one for one in getattr(everyone, f"{self.noun}s") if one.is_default
        )
        return found
