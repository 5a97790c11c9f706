"""Touches in, heatmaps out, on both databases; numbers are held against a naive computation."""

import itertools
import statistics
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from protobuf.wkt import Timestamp
from support.calls import Calls
from support.organization import START, Tenant
from support.rows import contents, differences

from pidgr.clock import DAY, MINUTE, SECOND, to_timestamp
from pidgr.contract.v1.common_pb import Permission
from pidgr.contract.v1.heatmap_pb import (
    HeatmapDataPoint,
    HeatmapMode,
    IngestTouchEventsRequest,
    QueryHeatmapDataRequest,
    QueryHeatmapDataResponse,
    TouchEvent,
    TouchEventType,
)
from pidgr.directory import privacy
from pidgr.errors import InvalidArgumentError, PermissionDeniedError
from pidgr.heatmaps.cohorts import Cohorts
from pidgr.heatmaps.columnar import ColumnarHeatmap
from pidgr.heatmaps.ranges import cover
from pidgr.heatmaps.screenshots import Screenshots
from pidgr.heatmaps.service import HeatmapService
from pidgr.heatmaps.upkeep import Upkeep
from pidgr.identity.caller import Caller
from pidgr.secrets import MasterKey
from pidgr.storage.blobs.links import BlobLinks
from pidgr.storage.sql import Statement

T = TouchEventType
RETENTION_DAYS = 100
MASTER_KEY = MasterKey("a master key for tests, long enough")
COHORTS = Cohorts(MASTER_KEY)
_RESTRICT = Statement("update member set processing_restricted = true where id = :id")
_SALT = Statement("select analytics_salt from organization where key = :key")
_numbers = itertools.count(1)


class Heat:
    """The service and the upkeep of one organization."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        installation = tenant.installation
        self.clock = installation.clock
        self.upkeep = Upkeep(
            installation.database,
            installation.engine,
            self.clock,
            RETENTION_DAYS,
            batches_at_once=3,
            rows_at_once=5,
        )
        self.screenshots = Screenshots(
            installation.database,
            installation.engine,
            installation.blobs,
            BlobLinks(MASTER_KEY, "https://pidgr.example", self.clock),
            self.clock,
        )
        service = HeatmapService(self.clock, COHORTS, self.upkeep, self.screenshots)
        self.calls = Calls(tenant, service)

    def touch(self, caller: Caller, *events: TouchEvent) -> int:
        request = IngestTouchEventsRequest(events=list(events))
        count: int = self.calls("ingest_touch_events", request, caller).ingested_count
        return count

    def ask(self, screen: str = "Home", caller: Caller | None = None, **fields: Any) -> Any:
        request = QueryHeatmapDataRequest(screen_name=screen, **fields)
        answer: ColumnarHeatmap = self.calls("query_heatmap_data", request, caller)
        return QueryHeatmapDataResponse.from_binary(answer.to_binary())

    def total(self, **fields: Any) -> float:
        return sum((float(point.value) for point in self.ask(**fields).data_points), 0.0)

    def pack(self) -> None:
        self.upkeep.pack(self.tenant.key)

    def people(self, count: int) -> list[Caller]:
        return [self.tenant.add_member(f"p{next(_numbers)}@example.com") for _ in range(count)]

    def bucket(self, caller: Caller) -> int:
        key = {"key": self.tenant.key}
        salt = self.tenant.installation.read(lambda unit: unit.value(_SALT, key))
        return COHORTS.bucket(bytes(salt), caller.member().id, 20)


@pytest.fixture
def heat(acme: Tenant) -> Heat:
    return Heat(acme)


def event(at: int = START, **fields: Any) -> TouchEvent:
    values: dict[str, Any] = {
        "screen_name": "Home",
        "x_pct": 0.5,
        "y_pct": 0.25,
        "event_type": T.TAP,
        "screen_width": 1080,
        "screen_height": 2400,
        "client_timestamp": to_timestamp(at),
    }
    return TouchEvent(**{**values, **fields})


# --- numbers ---


@dataclass(frozen=True)
class Sent:
    x: float
    y: float
    event_type: int
    bucket: int
    minute: int


def _cells(share: float, resolution: float) -> tuple[int, Fraction]:
    """The cell of a coordinate and its centre, by fractions of exact ten-thousandths."""
    step = Fraction(round(resolution * 10_000), 10_000)
    at = Fraction(round(share * 10_000), 10_000)
    cell = at // step
    if at == 1 and cell * step == 1:
        cell -= 1
    return int(cell), (cell * step + min((cell + 1) * step, Fraction(1))) / 2


def naive(
    sent: list[Sent], resolution: float, mode: HeatmapMode, first: int, last: int, types: set[int]
) -> tuple[dict[tuple[float, float], float], bool]:
    chosen = [
        one
        for one in sent
        if first <= one.minute <= last and (not types or one.event_type in types)
    ]
    buckets = sorted({one.bucket for one in chosen})
    counts: dict[tuple[float, float], dict[int, int]] = defaultdict(lambda: defaultdict(int))
    for one in chosen:
        place = (float(_cells(one.x, resolution)[1]), float(_cells(one.y, resolution)[1]))
        counts[place][one.bucket] += 1
    enabled = len(buckets) >= 5
    if mode is HeatmapMode.TOTAL:
        return {place: float(sum(by.values())) for place, by in counts.items()}, enabled
    if not enabled:
        return {}, False
    medians = {
        place: float(statistics.median(by[bucket] for bucket in buckets))
        for place, by in counts.items()
    }
    return {place: value for place, value in medians.items() if value}, True


SHARES = st.one_of(
    st.floats(0, 1, width=32),
    st.sampled_from([0.0, 1.0, 0.02, 0.005, 0.995, 0.9999, 0.1]),
    st.integers(0, 4).map(lambda n: n / 200),
)
MINUTES = st.one_of(
    st.integers(START // MINUTE - 70 * 1440, START // MINUTE),
    st.integers(START // MINUTE - 2880, START // MINUTE),
)
TOUCHES = st.lists(
    st.tuples(SHARES, SHARES, st.sampled_from([1, 2, 3, 4]), st.integers(0, 11), MINUTES),
    min_size=1,
    max_size=60,
)
RESOLUTIONS = st.one_of(
    st.sampled_from([0.005, 0.01, 0.02, 0.04, 0.05, 0.06, 0.1]), st.floats(0.005, 0.1)
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    touches=TOUCHES,
    packed=st.integers(0, 60),
    questions=st.lists(
        st.tuples(
            RESOLUTIONS,
            st.sampled_from([HeatmapMode.TOTAL, HeatmapMode.MEDIAN]),
            st.one_of(st.none(), st.tuples(MINUTES, MINUTES).map(sorted)),
            st.sets(st.sampled_from([1, 2, 3, 4]), max_size=3),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_numbers_are_those_of_a_naive_computation(
    heat: Heat, touches: Any, packed: int, questions: Any
) -> None:
    if not hasattr(heat, "crowd"):
        heat.crowd = heat.people(12)  # type: ignore[attr-defined]
    crowd: list[Caller] = heat.crowd  # type: ignore[attr-defined]
    screen = f"Screen {next(_numbers)}"
    sent = []
    for number, (x, y, event_type, who, minute) in enumerate(touches):
        fields = {"x_pct": x, "y_pct": y, "event_type": T(event_type), "screen_name": screen}
        assert heat.touch(crowd[who], event(minute * MINUTE + 7 * SECOND, **fields)) == 1
        sent.append(Sent(x, y, event_type, heat.bucket(crowd[who]), minute))
        if number == packed:
            heat.pack()
    for resolution, mode, between, types in questions:
        first, last = between or (0, 1 << 40)
        dates: dict[str, Any] = {}
        if between:
            # The whole minutes that the range touches count.
            dates["date_from"] = to_timestamp(first * MINUTE + 30 * SECOND)
            dates["date_to"] = to_timestamp(last * MINUTE + 30 * SECOND)
        answer = heat.ask(
            screen,
            grid_resolution=resolution,
            mode=mode,
            event_types=[T(one) for one in types],
            **dates,
        )
        wanted, enabled = naive(sent, resolution, mode, first, last, types)
        found = {(p.x_pct, p.y_pct): p.value for p in answer.data_points}
        assert len(found) == len(answer.data_points)
        assert _rounded(found) == _rounded(wanted)
        assert answer.cohort_enabled == enabled


def _rounded(points: dict[tuple[float, float], float]) -> dict[tuple[float, float], float]:
    return {(round(x, 5), round(y, 5)): value for (x, y), value in points.items()}


def test_an_answer_is_encoded_as_the_library_does() -> None:
    rows = [(number / 997, 1 - number / 1_000, number / 2) for number in range(1, 997)]
    points = [HeatmapDataPoint(x_pct=x, y_pct=y, value=value) for x, y, value in rows]
    for cohort_enabled, url in ((True, "https://pidgr.example/a.png"), (False, "")):
        wanted = QueryHeatmapDataResponse(
            data_points=points, cohort_enabled=cohort_enabled, screenshot_url=url
        )
        answer = ColumnarHeatmap(
            *np.array(rows).T, cohort_enabled=cohort_enabled, screenshot_url=url
        )
        assert answer.to_binary() == wanted.to_binary()
        assert answer.to_json() == wanted.to_json()
        assert answer.with_objects() == wanted


@settings(deadline=None)
@given(st.tuples(st.integers(0, 200 * 1440), st.integers(0, 200 * 1440)).map(sorted))
def test_every_minute_of_a_range_is_covered_once(minutes: list[int]) -> None:
    first, last = minutes
    parts = cover(first, last)
    covered: list[int] = []
    for low, high in (parts.spans, parts.days_before, parts.days_after):
        covered += range(low * 1440, (high + 1) * 1440)
    for day in {*parts.cut} - {-1}:
        covered += [m for m in range(day * 1440, (day + 1) * 1440) if first <= m <= last]
    assert sorted(covered) == list(range(first, last + 1))
    if parts.spans[0] <= parts.spans[1]:
        assert parts.spans[0] % 32 == (parts.spans[1] + 1) % 32 == 0


def test_a_range_begins_and_ends_within_a_day_at_its_very_minutes(heat: Heat) -> None:
    (person,) = heat.people(1)
    first = START // DAY * DAY - 10 * DAY + 7 * MINUTE
    for moment in (first - MINUTE, first, first + MINUTE, first + 2 * MINUTE):
        heat.touch(person, event(moment))
    for _ in ("as it came in", "packed"):
        for resolution in (0.02, 0.0073):
            fields = {
                "date_from": to_timestamp(first + 59 * SECOND),
                "date_to": to_timestamp(first + MINUTE),
                "grid_resolution": resolution,
            }
            assert heat.total(**fields) == 2
        heat.pack()


# --- the door ---


def test_bad_events_are_dropped_one_by_one(heat: Heat) -> None:
    (person,) = heat.people(1)
    bad = [
        event(screen_name=""),
        event(screen_name=" "),
        event(screen_name="s" * 201),
        event(screen_name="a\0b"),
        event(x_pct=-0.01),
        event(x_pct=1.01),
        event(y_pct=float("nan")),
        event(event_type=T.UNSPECIFIED),
        event(event_type=T(9)),
        event(screen_width=-1),
        event(campaign_id="no uuid"),
        event(campaign_id="00000000-0000-4000-8000-000000000000"),
        event(START - (RETENTION_DAYS + 1) * DAY),
        event(client_timestamp=Timestamp(seconds=1, nanos=-1)),
        event(screen_name=f"Profile of {person.email.upper()}"),
        event(screen_name=f"Member::{person.member().id}"),
    ]
    good = [event(), event(START + DAY), event(client_timestamp=None), event(screen_width=0)]
    assert heat.touch(person, *bad, *good) == len(good)
    # A clock that is ahead, or none, means now.
    now = to_timestamp(START)
    assert heat.total(date_from=now, date_to=now) == len(good)


def test_a_hundred_are_taken_and_more_refused(heat: Heat) -> None:
    (person,) = heat.people(1)
    assert heat.touch(person, *[event()] * 100) == 100
    with pytest.raises(InvalidArgumentError, match="at most 100"):
        heat.touch(person, *[event()] * 101)
    assert heat.touch(person) == 0
    assert heat.total() == 100


def test_an_api_key_has_no_touches(heat: Heat) -> None:
    with pytest.raises(PermissionDeniedError):
        heat.touch(heat.tenant.api_key(Permission.CAMPAIGNS_READ), event())


def test_the_organization_and_the_person_can_say_no(heat: Heat) -> None:
    one, other = heat.people(2)
    installation = heat.tenant.installation

    def turn(*, enabled: bool) -> None:
        wanted = {privacy.BEHAVIORAL_ANALYTICS: enabled}
        installation.write(
            lambda unit: privacy.turn_toggles(unit, heat.tenant.admin, wanted, START)
        )

    turn(enabled=False)
    assert heat.touch(one, event()) == 0
    turn(enabled=True)
    installation.write(lambda unit: unit.execute(_RESTRICT, {"id": one.member().id}))
    assert (heat.touch(one, event()), heat.touch(other, event())) == (0, 1)
    assert heat.total() == 1


def test_nothing_that_is_stored_tells_who_touched(heat: Heat) -> None:
    people = heat.people(60)
    by_bucket: dict[int, list[Caller]] = defaultdict(list)
    for person in people:
        by_bucket[heat.bucket(person)].append(person)
    one, other = next(group for group in by_bucket.values() if len(group) > 1)[:2]
    installation = heat.tenant.installation
    before = installation.read(contents)
    heat.touch(one, event(), event(screen_name="Inbox"))
    first = installation.read(contents)
    heat.touch(other, event(), event(screen_name="Inbox"))
    second = installation.read(contents)
    heat.pack()
    changed = differences(before, installation.read(contents))
    assert changed.keys() == {"touch_screen", "touch_block", "touch_grid", "touch_upkeep"}
    for rows in (differences(before, second), changed):
        text = repr(rows)
        for person in (one, other):
            for secret in (person.member().id, person.email, person.subject):
                assert secret not in text
    # Two people of one bucket leave the same bytes: nothing else can be in them.
    bytes_of = [
        sorted(row[row.index("b'") :] for row in rows["touch_batch"])
        for rows in (differences(before, first), differences(first, second))
    ]
    assert bytes_of[0] == bytes_of[1]


def test_a_new_salt_moves_people_and_not_what_is_stored(heat: Heat) -> None:
    people = heat.people(40)
    buckets = [heat.bucket(person) for person in people]
    assert len(set(buckets)) > 5
    assert set(buckets) <= set(range(20))
    heat.touch(people[0], event())
    key = heat.tenant.key
    heat.tenant.installation.write(lambda unit: privacy.rotate_salt(unit, key, 25))
    assert [heat.bucket(person) for person in people] != buckets
    assert heat.total() == 1
    with pytest.raises(InvalidArgumentError, match="at most 1,000"):
        heat.tenant.installation.write(lambda unit: privacy.rotate_salt(unit, key, 1_001))


# --- questions ---


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"screen": ""}, "screen_name"),
        ({"screen": "s" * 201}, "screen_name"),
        ({"grid_resolution": 0.0049}, "grid_resolution"),
        ({"grid_resolution": 0.11}, "grid_resolution"),
        ({"grid_resolution": float("nan")}, "grid_resolution"),
        ({"mode": HeatmapMode(3)}, "mode"),
        ({"event_types": [T.TAP, T.UNSPECIFIED]}, "event_types[1]"),
        ({"campaign_id": "x"}, "campaign_id"),
        ({"date_from": Timestamp(seconds=1 << 60)}, "date_from"),
        ({"date_from": to_timestamp(START), "date_to": to_timestamp(START - DAY)}, "date_to"),
    ],
)
def test_a_bad_question_names_its_field(heat: Heat, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        heat.ask(**fields)
    assert [violation.field for violation in raised.value.violations] == [path]


def test_others_see_nothing(heat: Heat) -> None:
    heat.touch(heat.people(1)[0], event())
    stranger = Heat(heat.tenant.installation.found("Other", "other@example.com"))
    assert not stranger.ask().data_points
    assert not heat.ask("Nowhere").data_points
    unknown = "00000000-0000-4000-8000-000000000000"
    assert not heat.ask(campaign_id=unknown).data_points


def test_below_five_cohorts_there_is_a_total_and_no_median(heat: Heat) -> None:
    groups: dict[int, Caller] = {}
    for person in heat.people(40):
        groups.setdefault(heat.bucket(person), person)
    *four, fifth = list(groups.values())[:5]
    for person in four:
        heat.touch(person, event())
    answer = heat.ask(mode=HeatmapMode.MEDIAN)
    assert (answer.cohort_enabled, answer.data_points) == (False, [])
    assert heat.total() == 4
    heat.touch(fifth, event(), event())
    answer = heat.ask(mode=HeatmapMode.MEDIAN)
    assert answer.cohort_enabled
    assert [point.value for point in answer.data_points] == [1.0]


# --- upkeep ---


def test_what_is_too_old_is_unseen_at_once_and_deleted_in_batches(heat: Heat) -> None:
    (person,) = heat.people(1)
    for days in range(RETENTION_DAYS):
        heat.touch(person, event(START - days * DAY))
    heat.pack()
    assert heat.total() == RETENTION_DAYS
    heat.clock.advance(40 * DAY)
    assert heat.total() == RETENTION_DAYS - 39
    heat.upkeep.expire(heat.tenant.key)
    assert heat.total() == RETENTION_DAYS - 39
    oldest = heat.tenant.installation.read(
        lambda unit: unit.value(Statement("select min(day) from touch_block"))
    )
    assert oldest == heat.clock.now() // DAY - RETENTION_DAYS
    heat.clock.advance(200 * DAY)
    heat.upkeep.expire(heat.tenant.key)
    left = heat.tenant.installation.read(contents)
    assert [left[name] for name in ("touch_batch", "touch_block", "touch_grid")] == [[], [], []]
