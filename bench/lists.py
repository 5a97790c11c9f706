"""Lists of a hundred thousand rows: what a page costs by where it is in the list."""

import json
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from bench.databases import fresh_directory
from bench.installation import Installation, installation
from bench.load import Job
from bench.plan import Kind, Plan
from bench.population import SERIES
from bench.report import Line, line
from bench.requests import Load
from pidgr.audit.trail import ActorKind
from pidgr.contract.v1.audit_pb import AuditEventClass, AuditEventType

_PAGE: Final = 100
# Far longer than the calls of a round take: their number ends it.
_LONGEST_SECONDS: Final = 600.0
_Json = dict[str, Any]
_READ: Final = "MemberService/GetUser"


@dataclass(frozen=True)
class List:
    """A list, and a request of its first page. Most take size and token as ``pagination``."""

    subject: str
    rpc: str
    request: _Json
    plain: bool = False

    def page(self, token: str) -> _Json:
        """Return the request of the page behind a token."""
        paging = {"pageSize": _PAGE, "pageToken": token}
        return {**self.request, **(paging if self.plain else {"pagination": paging})}

    def next(self, answer: _Json) -> str:
        """Return the token of the page behind an answer, empty at the end."""
        meta = answer if self.plain else answer["paginationMeta"]
        return str(meta.get("nextPageToken", ""))


def measure(kind: Kind, plan: Plan) -> Iterator[Line]:
    """Yield the lines of one database, of an organization that has just so many members."""
    count = plan.list_rows
    with fresh_directory() as directory, installation(kind, count, directory) as place:
        lists = _fill(place, count)
        place.bench.run("analyze")
        place.bench.settle()
        member_id = place.population.first_ids(1)[0]
        for one in lists:
            yield from _lines(place, plan, one, {"userId": member_id})


def _fill(place: Installation, count: int) -> list[List]:
    return [
        List("ListUsers", "MemberService/ListUsers", {}),
        _members(place, "Group", "recipient_group", count),
        _members(place, "Team", "team", count),
        _deliveries(place, count),
        _events(place, count),
    ]


def _members(place: Installation, noun: str, table: str, count: int) -> List:
    made = place.call(f"{noun}Service/Create{noun}", name="Everybody")
    id_ = made[noun.lower()]["id"]
    place.bench.run(
        f"""
        insert into {table}_member ({table}_key, member_key, sort_name)
        select c.key, m.key, m.sort_name from member m
        join {table} c on c.organization_key = m.organization_key
        where c.id = :id and m.first_name = 'Person'
        """,
        id=id_,
    )
    place.bench.run(f"update {table} set member_count = :count where id = :id", count=count, id=id_)
    rpc = f"List{noun}Members"
    return List(rpc, f"{noun}Service/{rpc}", {f"{noun.lower()}Id": id_})


def _deliveries(place: Installation, count: int) -> List:
    campaign_id = place.campaign("shared", count)
    place.start(campaign_id)
    place.await_end(campaign_id)
    return List("ListDeliveries", "CampaignService/ListDeliveries", {"campaignId": campaign_id})


def _events(place: Installation, count: int) -> List:
    place.bench.run(
        f"""
        insert into audit_event (id, organization_key, event_type, event_class, actor_kind,
                                 actor_id, entity_type, entity_id, created_at)
        {SERIES}
        select 'event-' || i, :organization_key, :event_type, :event_class, :actor_kind,
               'actor-' || i % 50, 'user', 'entity-' || i, i
        from series
        """,
        last=count - 1,
        organization_key=place.population.organization_key,
        event_type=AuditEventType.PROFILE_UPDATED,
        event_class=AuditEventClass.MANAGEMENT,
        actor_kind=ActorKind.USER,
    )
    return List("ListAuditEvents", "AuditService/ListAuditEvents", {}, plain=True)


def _lines(place: Installation, plan: Plan, one: List, read: _Json) -> Iterator[Line]:
    tokens = _tokens(place, one)
    pages = [one.page(token) for token in ("", tokens[len(tokens) // 2], tokens[-1])]
    to_read: list[tuple[float, float]] = []
    to_first: list[tuple[float, float]] = []
    medians: list[float] = []
    for _ in range(plan.rounds):
        (reads,) = _turns(place, plan, _READ, [read])
        first, *later = _turns(place, plan, one.rpc, pages)
        to_read.append((_p99(first), _p99(reads)))
        to_first.append((max(map(_p99, later)), _p99(first)))
        medians.append(max(map(statistics.median, later)) / statistics.median(first))
    what = f"{one.subject} of {plan.list_rows:,}, p99 of"
    yield line(
        f"{what} the first page",
        place.kind,
        "ms",
        to_read,
        floor_is="one indexed read, GetUser",
    )
    yield line(
        f"{what} the middle and the last page, the slower",
        place.kind,
        "ms",
        to_first,
        floor_is=f"its first page (by median {statistics.median(medians):.2f}x)",
        goal="< 1.5x",
    )


def _tokens(place: Installation, one: List) -> list[str]:
    """Read the whole list and return the tokens of all pages but the first."""
    found: list[str] = []
    token = ""
    while token := one.next(place.call(one.rpc, **one.page(token))):
        found.append(token)
    return found


def _turns(place: Installation, plan: Plan, rpc: str, requests: list[_Json]) -> list[list[float]]:
    """Make requests in turn, one at a time, and return how long each took, in milliseconds."""
    bodies = [json.dumps(request).encode().hex() for request in requests]
    job = Job(
        protocol="connect",
        port=place.server.port,
        path=f"/pidgr.v1.{rpc}",
        requests=[(place.api_key, body) for body in bodies] * plan.list_calls,
        seconds=_LONGEST_SECONDS,
        connections=1,
        once=True,
    )
    taken = [duration * 1000 for _, duration in Load(place, job).samples()]
    return [taken[number :: len(bodies)] for number in range(len(bodies))]


def _p99(durations: list[float]) -> float:
    return statistics.quantiles(durations, n=100)[98]
