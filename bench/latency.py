"""What people wait for while a large campaign goes out."""

import statistics
import time
from collections.abc import Iterator
from typing import Final

from bench.installation import Installation
from bench.load import Job
from bench.plan import Plan
from bench.report import Line, line
from bench.requests import SUBMIT, SYNC, Deliveries, Load

_CONNECTIONS: Final = 4
_PAUSE_SECONDS: Final = 0.002
_INBOX_LIMIT_SECONDS: Final = 1.0
_DEADLINE_SECONDS: Final = 60.0


def measure(place: Installation, plan: Plan) -> Iterator[Line]:
    """Yield the lines of one database."""
    yield _first_inbox(place, plan)
    yield _tail(place, plan)


def _first_inbox(place: Installation, plan: Plan) -> Line:
    rounds: list[tuple[float, float]] = []
    for _ in range(plan.rounds):
        campaign_id = place.campaign("shared", plan.inbox_recipients)
        place.bench.settle()
        place.start(campaign_id)
        seconds = _until_shown(place, campaign_id)
        place.await_end(campaign_id)
        rounds.append((seconds * 1000, _INBOX_LIMIT_SECONDS * 1000))
    return line(
        f"StartCampaign's answer to the first inbox, {plan.inbox_recipients:,} recipients",
        place.kind,
        "ms",
        rounds,
        floor_is="the limit, one second",
        goal="< 1x",
    )


def _until_shown(place: Installation, campaign_id: str) -> float:
    started = time.perf_counter()
    while time.perf_counter() - started < _DEADLINE_SECONDS:
        answer = place.server.call(SYNC, place.tokens[0], {"limit": 1})
        shown = [entry["message"]["campaignId"] for entry in answer.get("entries", [])]
        if campaign_id in shown:
            return time.perf_counter() - started
    raise TimeoutError(campaign_id)


def _tail(place: Installation, plan: Plan) -> Line:
    """Compare SubmitAction's p99 with a fan-out running and without one."""
    seconds = plan.tail_seconds
    count = int(_CONNECTIONS * seconds / _PAUSE_SECONDS)
    deliveries = Deliveries(place, 2 * count * plan.tail_campaigns)
    rounds: list[tuple[float, float]] = []
    for _ in range(plan.tail_campaigns):
        quiet = [duration for _, duration in _acknowledge(place, deliveries, seconds).samples()]
        campaign_id = place.campaign("shared", plan.tail_recipients)
        place.bench.settle()
        load = _acknowledge(place, deliveries, seconds)
        load.await_begin()
        began = time.perf_counter()
        place.start(campaign_id)
        place.await_end(campaign_id)
        ended = time.perf_counter()
        busy = [taken for start, taken in load.samples() if began <= start <= ended]
        rounds.append((_p99(busy) * 1000, _p99(quiet) * 1000))
    return line(
        f"SubmitAction p99 during a fan-out of {plan.tail_recipients:,}",
        place.kind,
        "ms",
        rounds,
        floor_is="its p99 at rest",
        goal="< 5x",
    )


def _acknowledge(place: Installation, deliveries: Deliveries, seconds: float) -> Load:
    job = Job(
        protocol="connect",
        port=place.server.port,
        path=f"/pidgr.v1.{SUBMIT}",
        requests=deliveries.take(int(_CONNECTIONS * seconds / _PAUSE_SECONDS), "connect"),
        seconds=seconds,
        connections=_CONNECTIONS,
        pause=_PAUSE_SECONDS,
        once=True,
    )
    return Load(place, job)


def _p99(durations: list[float]) -> float:
    return statistics.quantiles(durations, n=100)[98]
