"""Heatmaps over ten million touches beside one scan of them, and touches per second coming in."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from bench.installation import Installation
from bench.load import Job
from bench.plan import Plan
from bench.report import Line, line
from bench.requests import Load
from pidgr.clock import DAY, MINUTE, SECOND, to_timestamp
from pidgr.contract.v1.heatmap_pb import (
    HeatmapMode,
    IngestTouchEventsRequest,
    QueryHeatmapDataRequest,
    TouchEvent,
    TouchEventType,
)
from pidgr.heatmaps import blocks, packing
from pidgr.heatmaps.blocks import Touches
from pidgr.heatmaps.ingestion import MOST_EVENTS, ORGANIC
from pidgr.heatmaps.packing_store import Scope
from pidgr.heatmaps.touches import MINUTES_PER_DAY, UNITS, encode, kind_of
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

_SCREEN: Final = "Home"
_TYPES: Final = 4
_BUCKETS: Final = 20
_SEED: Final = 6
_GOAL: Final = "< 100 ms"
_INSERT: Final = """
    insert into touch_batch (organization_key, screen_key, campaign_key, day, events)
    values (:organization_key, :screen_key, :campaign_key, :day, :events)
"""


@dataclass(frozen=True)
class _Question:
    """``cut`` leaves out some hours of the first and of the last day."""

    mode: HeatmapMode
    resolution: float
    cut: bool = False

    @property
    def name(self) -> str:
        """What the table calls it."""
        suffix = ", days cut" if self.cut else ""
        return f"{self.mode.name}, cells of {self.resolution}{suffix}"


# Sums are kept for multiples of 0.005; for 0.0073 every touch has to be counted.
_QUESTIONS: Final = (
    _Question(HeatmapMode.TOTAL, 0.02),
    _Question(HeatmapMode.TOTAL, 0.005),
    _Question(HeatmapMode.TOTAL, 0.0073),
    _Question(HeatmapMode.MEDIAN, 0.0073),
    _Question(HeatmapMode.MEDIAN, 0.0073, cut=True),
)


def measure(place: Installation, plan: Plan) -> Iterator[Line]:
    """Yield the lines of one database."""
    screen_key, first_day = _build(place, plan)
    for question in _QUESTIONS:
        request = _request(question, first_day, plan.touch_days)
        # The first of them also reads what no cache holds yet, and does not count.
        rounds = [
            (_ask(place, request), _scan(place, screen_key)) for _ in range(2 * plan.rounds + 1)
        ]
        yield line(
            f"heatmap of {plan.touches:,} touches, {question.name}",
            place.kind,
            "ms",
            rounds[1:],
            floor_is="one scan of the places of these touches",
            goal=_GOAL,
        )
    yield _ingestion(place, plan, screen_key)


def _build(place: Installation, plan: Plan) -> tuple[int, int]:
    """Store touches of whole days before today as packing does; return their screen and day.

    They are spread evenly over screen, days, types and buckets: sums are of least use then.
    """
    bench, organization_key = place.bench, place.population.organization_key
    bench.run(
        "insert into touch_screen (organization_key, name) values (:organization_key, :name)",
        organization_key=organization_key,
        name=_SCREEN,
    )
    screen_key: int = bench.value(
        "select key from touch_screen where organization_key = :key", key=organization_key
    )
    scope = Scope(organization_key, screen_key, ORGANIC)
    random = np.random.default_rng(_SEED)
    first_day = _now() // DAY - plan.touch_days
    database = Database(bench.url)
    for day in range(first_day, first_day + plan.touch_days):
        touches = blocks.together([_random_touches(random, plan.touches // plan.touch_days)])

        def work(unit: Transaction, day: int = day, touches: Touches = touches) -> None:
            packing.add(unit, scope, {day: touches})

        database.write_now(work)
    database.close()
    bench.settle()
    return screen_key, first_day


def _random_touches(random: np.random.Generator, count: int) -> Touches:
    def column(end: int) -> blocks.Column:
        return random.integers(0, end, count, dtype=np.uint16)

    kinds = [kind_of(1 + kind, bucket) for kind in range(_TYPES) for bucket in range(_BUCKETS)]
    kind = np.array(kinds, dtype=np.uint16)[column(len(kinds))]
    return Touches(column(MINUTES_PER_DAY), column(UNITS + 1), column(UNITS + 1), kind)


def _request(question: _Question, first_day: int, days: int) -> bytes:
    margin = 8 * 60 * MINUTE if question.cut else 0
    return QueryHeatmapDataRequest(
        screen_name=_SCREEN,
        mode=question.mode,
        grid_resolution=question.resolution,
        date_from=to_timestamp(first_day * DAY + margin),
        date_to=to_timestamp((first_day + days) * DAY - SECOND - margin),
    ).to_binary()


def _ask(place: Installation, request: bytes) -> float:
    """Return the milliseconds of a call, with its whole way through the server."""
    started = time.perf_counter()
    place.server.call_binary("HeatmapService/QueryHeatmapData", place.api_key, request)
    return 1e3 * (time.perf_counter() - started)


def _scan(place: Installation, screen_key: int) -> float:
    """Return the milliseconds that reading the touches takes, doing nothing with them."""
    text = f"select places from touch_block where screen_key = {screen_key}"
    driver = place.bench.driver
    started = time.perf_counter()
    if place.kind == "sqlite":
        rows = driver.execute(text)
    else:
        rows = driver.cursor().stream(text, binary=True)
    for _ in rows:
        pass
    return 1e3 * (time.perf_counter() - started)


def _ingestion(place: Installation, plan: Plan, screen_key: int) -> Line:
    day = _now() // DAY
    touches = [(700, number, 5_000, kind_of(1, 7)) for number in range(MOST_EVENTS)]
    row = {
        "organization_key": place.population.organization_key,
        "screen_key": screen_key,
        "campaign_key": ORGANIC,
        "day": day,
        "events": encode(touches),
    }
    event = TouchEvent(screen_name=_SCREEN, x_pct=0.25, y_pct=0.5, event_type=TouchEventType.TAP)
    body = IngestTouchEventsRequest(events=[event] * MOST_EVENTS).to_binary().hex()
    job: dict[str, Any] = {
        "protocol": "grpc",
        "port": place.server.port,
        "path": "/pidgr.v1.HeatmapService/IngestTouchEvents",
        "requests": [(token, body) for token in place.tokens],
        "seconds": plan.load_seconds,
    }
    rounds = []
    for _ in range(plan.rounds):
        floor = _insert_rate(place, row, plan.load_seconds)
        samples = Load(place, Job(**job)).samples()
        began = min(start for start, _ in samples)
        ended = max(start + duration for start, duration in samples)
        rounds.append((MOST_EVENTS * len(samples) / (ended - began), MOST_EVENTS * floor))
    return line(
        f"touches coming in, {MOST_EVENTS} a request, gRPC",
        place.kind,
        "touches/s",
        rounds,
        floor_is="the same rows, one commit each, one connection",
    )


def _insert_rate(place: Installation, row: dict[str, Any], seconds: float) -> float:
    """Return rows per second of the driver alone."""
    started = time.perf_counter()
    count = 0
    while time.perf_counter() < started + seconds:
        place.bench.run(_INSERT, **row)
        count += 1
    return count / (time.perf_counter() - started)


def _now() -> int:
    return time.time_ns() // 1_000
