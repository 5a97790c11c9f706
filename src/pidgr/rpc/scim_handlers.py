"""From a request of SCIM to the members and groups, in one unit of work each."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from scim2_models import Context, ForbiddenException, ListResponse, NotFoundException

from pidgr.directory.collectives import Collectives
from pidgr.directory.group_service import GROUP
from pidgr.identity.caller import Caller
from pidgr.scim import discovery, groups, payloads, users
from pidgr.scim.groups import Groups
from pidgr.scim.lookups import GROUP_LOOKUPS, USER_LOOKUPS, lookup
from pidgr.scim.paging import Window, window
from pidgr.scim.payloads import Payload
from pidgr.scim.resources import Group, ScimUser
from pidgr.scim.users import Users
from pidgr.scim.versions import Match, version_of
from pidgr.system import System

_MESSAGE: Final = str(ListResponse.__schema__)
_NOT_MODIFIED: Final = 304


@dataclass(frozen=True, slots=True)
class ScimRequest:
    """What a directory sent: the id in the path, the query, the body, and the versions it knows."""

    id: str
    query: dict[str, str]
    payload: Payload
    match: Match


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a JSON object or nothing, and headers."""

    status: int
    content: Payload | None = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[[Caller, ScimRequest], Awaitable[Answer]]
Table = dict[tuple[str, bool], dict[str, Handler]]


class ScimHandlers:
    """Answers requests by resource and method."""

    def __init__(self, system: System, base: str) -> None:
        self._base = base
        self._database = system.database
        self._users = Users(system.clock, system.invitation_mail, base)
        collectives = Collectives(GROUP, system.clock, system.page_tokens)
        self._groups = Groups(collectives, system.clock, base)

    def table(self) -> Table:
        """Return the handlers by resource, by whether an id follows, and by method."""
        return {
            ("Users", False): {"GET": self._list_users, "POST": self._create_user},
            ("Users", True): {
                "GET": self._get_user,
                "PUT": self._replace_user,
                "PATCH": self._patch_user,
                "DELETE": self._delete_user,
            },
            ("Groups", False): {"GET": self._list_groups, "POST": self._create_group},
            ("Groups", True): {
                "GET": self._get_group,
                "PUT": self._replace_group,
                "PATCH": self._patch_group,
                "DELETE": self._delete_group,
            },
            ("ServiceProviderConfig", False): {"GET": self._config},
            ("ResourceTypes", False): {"GET": _listing(discovery.resource_types(self._base))},
            ("ResourceTypes", True): {"GET": _one_of(discovery.resource_types(self._base))},
            ("Schemas", False): {"GET": _listing(discovery.schemas(self._base))},
            ("Schemas", True): {"GET": _one_of(discovery.schemas(self._base))},
        }

    async def _config(self, caller: Caller, request: ScimRequest) -> Answer:
        del caller, request
        return Answer(200, discovery.config(self._base))

    async def _list_users(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*users.READS)
        asked, shown = window(request.query), payloads.shown(ScimUser, request.query)
        text = request.query.get("filter")
        if text is None:
            found, total = await self._database.read(
                lambda reader: self._users.page(reader, caller, asked), heavy=True
            )
        else:
            sieve = payloads.filter_of(ScimUser, text)
            wanted = lookup(sieve.ast, USER_LOOKUPS)
            candidates = await self._database.read(
                lambda reader: self._users.find(reader, caller, wanted)
            )
            passed = [user for user in candidates if sieve.match(user)]
            found, total = _cut(passed, asked), len(passed)
        context = Context.RESOURCE_QUERY_RESPONSE
        content = [user.model_dump(scim_ctx=context, response_parameters=shown) for user in found]
        return Answer(200, _message(content, total, asked.start))

    async def _get_user(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*users.READS)
        shown = payloads.shown(ScimUser, request.query)
        found = await self._database.read(
            lambda reader: self._users.get(reader, caller, request.id)
        )
        return _user(200, found, request, shown)

    async def _create_user(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*users.WRITES)
        shown = payloads.shown(ScimUser, request.query)
        wanted = payloads.user(request.payload)
        made = await self._database.write(lambda unit: self._users.create(unit, caller, wanted))
        return _user(201, made, request, shown)

    async def _replace_user(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*users.WRITES)
        shown = payloads.shown(ScimUser, request.query)
        changed = await self._database.write(
            lambda unit: self._users.replace(
                unit, caller, request.id, request.payload, request.match
            )
        )
        return _user(200, changed, request, shown)

    async def _patch_user(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*users.WRITES)
        shown = payloads.shown(ScimUser, request.query)
        changed = await self._database.write(
            lambda unit: self._users.patch(unit, caller, request.id, request.payload, request.match)
        )
        return _user(200, changed, request, shown)

    async def _delete_user(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*users.WRITES)
        await self._database.write(
            lambda unit: self._users.delete(unit, caller, request.id, request.match)
        )
        return Answer(204)

    async def _list_groups(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*groups.READS)
        asked, shown = window(request.query), payloads.shown(Group, request.query)
        text = request.query.get("filter")
        if text is None:
            found, total = await self._database.read(
                lambda reader: self._groups.page(reader, caller, asked, shown), heavy=True
            )
        else:
            sieve = payloads.filter_of(Group, text)
            wanted = lookup(sieve.ast, GROUP_LOOKUPS)
            passed = await self._database.read(
                lambda reader: self._groups.find(reader, caller, wanted, sieve, shown), heavy=True
            )
            found, total = _cut(passed, asked), len(passed)
        return Answer(200, _message(found, total, asked.start))

    async def _get_group(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*groups.READS)
        shown = payloads.shown(Group, request.query)
        found = await self._database.read(
            lambda reader: self._groups.get(reader, caller, request.id, shown), heavy=True
        )
        return _group(200, found, request)

    async def _create_group(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*groups.WRITES)
        shown = payloads.shown(Group, request.query)
        wanted = payloads.group(request.payload)
        made = await self._database.write(
            lambda unit: self._groups.create(unit, caller, wanted, shown)
        )
        return _group(201, made, request)

    async def _replace_group(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*groups.WRITES)
        shown = payloads.shown(Group, request.query)
        changed = await self._database.write(
            lambda unit: self._groups.replace(
                unit, caller, request.id, request.payload, request.match, shown
            )
        )
        return _group(200, changed, request)

    async def _patch_group(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*groups.WRITES)
        await self._database.write(
            lambda unit: self._groups.patch(
                unit, caller, request.id, request.payload, request.match
            )
        )
        return Answer(204)

    async def _delete_group(self, caller: Caller, request: ScimRequest) -> Answer:
        caller.require(*groups.WRITES)
        await self._database.write(
            lambda unit: self._groups.delete(unit, caller, request.id, request.match)
        )
        return Answer(204)


def _user(status: int, user: ScimUser, request: ScimRequest, shown: payloads.Shown) -> Answer:
    content = user.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE, response_parameters=shown)
    location = (user.meta.location or "") if user.meta else ""
    return _resource(status, content, request, version_of(user), location)


def _group(status: int, group: Payload, request: ScimRequest) -> Answer:
    meta = group.get("meta", {})
    return _resource(status, group, request, meta.get("version", ""), meta.get("location", ""))


def _resource(
    status: int, content: Payload, request: ScimRequest, version: str, location: str
) -> Answer:
    headers = {"etag": version} if version else {}
    if status == 201 and location:  # noqa: PLR2004 - created
        headers["location"] = location
    if request.match.is_known(version) and status == 200:  # noqa: PLR2004 - read
        return Answer(_NOT_MODIFIED, headers=headers)
    return Answer(status, content, headers)


def _message(resources: list[Payload], total: int, start: int) -> Payload:
    """Return a ListResponse, put together here because its resources are dumped already."""
    return {
        "schemas": [_MESSAGE],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(resources),
        "Resources": resources,
    }


def _cut(found: list[Any], asked: Window) -> list[Any]:
    return found[asked.start - 1 : asked.start - 1 + asked.count]


def _listing(resources: list[Payload]) -> Handler:
    async def handle(caller: Caller, request: ScimRequest) -> Answer:
        del caller
        if "filter" in request.query:
            raise ForbiddenException(detail="what the server tells about itself is not filtered")
        return Answer(200, _message(resources, len(resources), 1))

    return handle


def _one_of(resources: list[Payload]) -> Handler:
    by_id = {str(resource["id"]).lower(): resource for resource in resources}

    async def handle(caller: Caller, request: ScimRequest) -> Answer:
        del caller
        found = by_id.get(request.id.lower())
        if found is None:
            raise NotFoundException(detail="there is nothing of this id")
        return Answer(200, found)

    return handle
