"""Deliveries per second of a fan-out, from StartCampaign to its last push, and its memory."""

import time
from collections.abc import Iterator
from typing import Any, Final

from bench.installation import Installation
from bench.plan import Plan
from bench.report import Line, line

_GOALS: Final = {
    ("sqlite", "shared"): ">= 1.0x",
    ("postgresql", "shared"): ">= 0.6x",
    ("sqlite", "personalised"): ">= 0.6x",
    ("postgresql", "personalised"): ">= 0.5x",
}
_FLOORS: Final = {"sqlite": "executemany, one transaction", "postgresql": "binary COPY"}
_MEMORY_GOAL_BYTES: Final = 150e6


def measure(place: Installation, plan: Plan, *, devices: bool) -> Iterator[Line]:
    """Yield the lines of one database."""
    suffix = "a device each" if devices else "no devices"
    for recipients in plan.shared:
        yield from _measure(place, plan, "shared", recipients, suffix)
    if devices:
        for recipients in plan.personalised:
            yield from _measure(place, plan, "personalised", recipients, suffix)


def _measure(
    place: Installation, plan: Plan, template: str, recipients: int, suffix: str
) -> Iterator[Line]:
    largest = recipients == plan.shared[-1]
    rounds: list[tuple[float, float]] = []
    peaks: list[tuple[float, float]] = []
    rows: dict[str, list[tuple[Any, ...]]] = {}
    rest = place.worker.memory()
    for _ in range(plan.rounds):
        place.worker.reset_peak_memory()
        seconds = _fan_out(place, template, recipients)
        peaks.append((place.worker.memory("VmHWM") / 1e6, _MEMORY_GOAL_BYTES / 1e6))
        if not rows:
            rows = _written(place)
        place.bench.empty_deliveries()
        floor = place.bench.bulk_write(rows)
        place.bench.empty_deliveries()
        rounds.append((recipients / seconds, recipients / floor))
    yield line(
        f"fan-out, {recipients:,} {template}, {suffix}",
        place.kind,
        "deliveries/s",
        rounds,
        floor_is=f"the same rows by {_FLOORS[place.kind]}",
        goal=_GOALS[place.kind, template],
    )
    if largest:
        yield line(
            f"peak memory of the worker, {recipients:,} {template}, {suffix}",
            place.kind,
            "MB",
            peaks,
            floor_is=f"the limit (at rest before: {rest / 1e6:.0f} MB)",
            goal="< 1x",
        )


def _fan_out(place: Installation, template: str, recipients: int) -> float:
    """Return the seconds from before StartCampaign to the end of the send.

    Raises:
        RuntimeError: not exactly one delivery per recipient, or a push cursor short of the end.
    """
    campaign_id = place.campaign(template, recipients)
    place.bench.settle()
    started = time.time_ns() // 1_000
    place.start(campaign_id)
    seconds = (place.await_end(campaign_id) - started) / 1e6
    key = place.run_key(campaign_id)
    written = place.bench.value("select count(*) from delivery where step_run_key = :key", key=key)
    pushed = place.bench.value(
        "select sum(pushed_upto - low) from lane where step_run_key = :key", key=key
    )
    if (written, pushed) != (recipients, recipients):
        message = f"{recipients} recipients, {written} deliveries, {pushed} pushed"
        raise RuntimeError(message)
    return seconds


def _written(place: Installation) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows that the fan-out wrote, to write them again."""
    tables = {
        table: place.bench.run(f"select * from {table} order by step_run_key, ordinal").fetchall()
        for table in ("delivery", "delivery_body")
    }
    return {table: rows for table, rows in tables.items() if rows}
