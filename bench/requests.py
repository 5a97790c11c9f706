"""Requests per second through the whole server, beside the same server with an empty handler."""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from bench.empty import ANSWER_FILE
from bench.installation import Installation, scratch_file
from bench.load import Job, Protocol
from bench.plan import Plan
from bench.report import Line, line
from bench.serving import Server, serving
from pidgr.contract.v1.action_pb import SubmitActionRequest
from pidgr.contract.v1.inbox_pb import SyncRequest
from pidgr.inbox.messages import ACKNOWLEDGE_ACTION

SYNC: Final = "InboxService/Sync"
SUBMIT: Final = "ActionService/SubmitAction"
_ENTRIES: Final = 20
# Far more than any server here answers in the time, because each can be acknowledged only once.
_ACTIONS_PER_SECOND: Final = 12_000
_NAMES: Final[dict[Protocol, str]] = {"grpc": "gRPC", "connect": "Connect JSON"}


class Deliveries:
    """Deliveries that wait to be acknowledged, each handed out once."""

    def __init__(self, place: Installation, count: int) -> None:
        campaign_id = place.campaign("shared", count, people=len(place.tokens))
        place.start(campaign_id)
        place.await_end(campaign_id)
        self._place = place
        self._run_key = place.run_key(campaign_id)
        self._next = 0

    def take(self, count: int, protocol: Protocol) -> list[tuple[str, str]]:
        """Return requests that acknowledge the next deliveries, see ``Job.requests``."""
        since, self._next = self._next, self._next + count
        tokens = self._place.tokens
        return [
            (tokens[ordinal % len(tokens)], self._request(ordinal, protocol))
            for ordinal in range(since, self._next)
        ]

    def _request(self, ordinal: int, protocol: Protocol) -> str:
        delivery_id = self._place.delivery_ids.encode(self._run_key, ordinal)
        return encode(
            SubmitActionRequest(delivery_id=delivery_id, action_id=ACKNOWLEDGE_ACTION), protocol
        )


def encode(message: SubmitActionRequest | SyncRequest, protocol: Protocol) -> str:
    """Return a request's body in hexadecimal."""
    body = message.to_binary() if protocol == "grpc" else message.to_json().encode()
    return body.hex()


class Load:
    """A load generator at work."""

    def __init__(self, place: Installation, job: Job) -> None:
        path = scratch_file(place.directory, ".json")
        path.write_text(json.dumps(asdict(job)), encoding="utf-8")
        # A file, because a pipe that nobody reads meanwhile would stop it.
        self._samples = scratch_file(place.directory, ".samples.json")
        command = [sys.executable, "-m", "bench.load", str(path), str(self._samples)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)

    def await_begin(self) -> None:
        """Wait until its first requests leave: importing takes it a while on a busy machine."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        self._process.stdout.readline()

    def stop(self) -> None:
        """Let it end before its time."""
        self._process.terminate()

    def samples(self) -> list[tuple[float, float]]:
        """Wait for its end and return its samples, see ``bench.load.run``.

        Raises:
            RuntimeError: it failed; it has said why on standard error.
        """
        self._process.communicate()
        if self._process.returncode:
            message = f"the load generator ended with status {self._process.returncode}"
            raise RuntimeError(message)
        found: list[tuple[float, float]] = json.loads(self._samples.read_text(encoding="utf-8"))
        return found


def measure(place: Installation, plan: Plan) -> Iterator[Line]:
    """Yield the lines of one database."""
    actions = int(_ACTIONS_PER_SECOND * plan.load_seconds)
    deliveries = Deliveries(place, actions * plan.rounds * len(_NAMES) + len(place.tokens))
    _read_inboxes(place)
    answer = place.server.call_binary(
        SYNC, place.tokens[0], SyncRequest(limit=_ENTRIES).to_binary()
    )
    file = scratch_file(place.directory, ".bin")
    file.write_bytes(answer)
    log = place.directory / "empty.log"
    with serving(["-m", "bench.empty"], {ANSWER_FILE: str(file)}, log) as empty:
        for protocol in _NAMES:
            body = encode(SyncRequest(limit=_ENTRIES), protocol)
            requests = [(token, body) for token in place.tokens]
            yield _line(place, plan, empty, SYNC, protocol, [requests] * plan.rounds)
        for protocol in _NAMES:
            batches = [deliveries.take(actions, protocol) for _ in range(plan.rounds)]
            yield _line(place, plan, empty, SUBMIT, protocol, batches)


def _read_inboxes(place: Installation) -> None:
    """Let everybody read once: the first answer that carries an entry also writes its receipt."""
    for token in place.tokens:
        place.server.call(SYNC, token, {"limit": _ENTRIES})


def _line(
    place: Installation,
    plan: Plan,
    empty: Server,
    rpc: str,
    protocol: Protocol,
    batches: list[list[tuple[str, str]]],
) -> Line:
    rounds: list[tuple[float, float]] = []
    costs: list[float] = []
    for requests in batches:
        job: dict[str, Any] = {
            "protocol": protocol,
            "path": f"/pidgr.v1.{rpc}",
            "requests": requests,
            "seconds": plan.load_seconds,
        }
        floor, floor_cost = _rate(place, empty, Job(port=empty.port, **job))
        ours = Job(port=place.server.port, once=rpc == SUBMIT, **job)
        rate, cost = _rate(place, place.server, ours)
        rounds.append((rate, floor))
        costs.append(floor_cost / cost)
    return line(
        f"{rpc.partition('/')[2]}, {_NAMES[protocol]}",
        place.kind,
        "requests/s",
        rounds,
        floor_is=f"an empty handler (by processor time {statistics.median(costs):.2f}x)",
    )


def _rate(place: Installation, server: Server, job: Job) -> tuple[float, float]:
    """Return requests per second, and the server's processor seconds per request."""
    before = server.processor_seconds()
    samples = Load(place, job).samples()
    used = server.processor_seconds() - before
    began = min(start for start, _ in samples)
    ended = max(start + duration for start, duration in samples)
    return len(samples) / (ended - began), used / len(samples)
