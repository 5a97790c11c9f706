"""``python -m bench``: measure, print the table, keep it."""

import argparse
import dataclasses
import time
from collections.abc import Iterator

from bench import fanout, garbage, heatmaps, latency, lists, requests, waiting
from bench.databases import fresh_directory
from bench.installation import installation
from bench.plan import QUICK, WITHOUT_MILLION, Kind, Plan
from bench.report import Line, keep, show

_PARTS = ("fanout", "requests", "latency", "garbage", "heatmaps", "lists", "waiting")
_WITHOUT_READERS = {"heatmaps", "waiting"}
_FEW_MEMBERS = 1_000


def measure(kind: Kind, plan: Plan, parts: list[str]) -> Iterator[Line]:
    """Yield every line of one database."""
    if "lists" in parts:
        yield from lists.measure(kind, plan)
    if parts == ["lists"]:
        return
    # Nobody reads messages in some measurements; a million members take a minute.
    members = _FEW_MEMBERS if {*parts} <= _WITHOUT_READERS else plan.members
    with fresh_directory() as directory, installation(kind, members, directory) as place:
        if "fanout" in parts:
            yield from fanout.measure(place, plan, devices=False)
        place.population.add_devices()
        if "fanout" in parts:
            yield from fanout.measure(place, plan, devices=True)
        if "requests" in parts:
            yield from requests.measure(place, plan)
        if "latency" in parts:
            yield from latency.measure(place, plan)
        # Before what leaves work to be done later, like the touches of heatmaps to be packed.
        if "waiting" in parts:
            yield from waiting.measure(place, plan)
        if "garbage" in parts:
            yield from garbage.measure(place, plan)
        if "heatmaps" in parts:
            yield from heatmaps.measure(place, plan)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="only see whether everything runs")
    size.add_argument("--no-million", action="store_true", help="200,000 recipients at most")
    parser.add_argument("--only", choices=_PARTS, action="append", help="measure only this part")
    parser.add_argument("--database", choices=Plan.kinds, help="measure only this database")
    parser.add_argument("--rounds", type=int, help="repetitions whose median counts")
    return parser.parse_args()


def main() -> None:
    """Run."""
    arguments = _arguments()
    plan = QUICK if arguments.quick else WITHOUT_MILLION if arguments.no_million else Plan()
    if arguments.database:
        plan = dataclasses.replace(plan, kinds=(arguments.database,))
    if arguments.rounds:
        plan = dataclasses.replace(plan, rounds=arguments.rounds)
    started = time.monotonic()
    lines: list[Line] = []
    for kind in plan.kinds:
        for one in measure(kind, plan, arguments.only or list(_PARTS)):
            print(f"{time.monotonic() - started:5.0f} s  {one.ratio:.2f}x  {one.subject}, {kind}")
            lines.append(one)
    show(lines)
    print(f"kept in {keep(lines)}")


if __name__ == "__main__":
    main()
