"""What people notice while somebody tries out credentials from the same address."""

import base64
import json
import secrets
import statistics
from collections.abc import Iterator
from typing import Final

from bench.installation import Installation
from bench.load import Job
from bench.plan import Plan
from bench.report import Line, line
from bench.requests import SYNC, Load, encode
from pidgr.contract.v1.inbox_pb import SyncRequest

_CONNECTIONS: Final = 4
_PAUSE_SECONDS: Final = 0.002
_ENTRIES: Final = 20
_LONGEST_SECONDS: Final = 600.0


def measure(place: Installation, plan: Plan) -> Iterator[Line]:
    """Yield the lines of one database, of one round: refusals take turns, and so their time."""
    garbage, good, rest = _round(place, plan)
    subject = f"Sync beside {plan.garbage:,} garbage tokens"
    yield line(
        f"{subject}, median",
        place.kind,
        "ms",
        [(garbage, rest)],
        floor_is="its median at rest",
    )
    yield line(
        f"{subject} or good ones, median",
        place.kind,
        "ms",
        [(garbage, good)],
        floor_is=f"its median beside {plan.garbage:,} calls like it",
    )


def _round(place: Installation, plan: Plan) -> tuple[float, float, float]:
    """Return the median of calls beside garbage, beside good ones and at rest, in milliseconds."""
    good = [place.tokens[number % len(place.tokens)] for number in range(plan.garbage)]
    makers = (_api_key, lambda: _forged(place.tokens[0]), lambda: secrets.token_urlsafe(40))
    garbage = [makers[number % len(makers)]() for number in range(plan.garbage)]
    beside_garbage = _beside(place, garbage, refused=True)
    beside_good = _beside(place, good, refused=False)
    rest = statistics.median(
        duration for _, duration in _read(place, plan.rounds * plan.load_seconds).samples()
    )
    return beside_garbage * 1000, beside_good * 1000, rest * 1000


def _beside(place: Installation, credentials: list[str], *, refused: bool) -> float:
    """Return the median of calls while others come with these credentials, in seconds."""
    load = _read(place, _LONGEST_SECONDS)
    load.await_begin()
    job = Job(
        protocol="connect",
        port=place.server.port,
        path=f"/pidgr.v1.{SYNC}",
        requests=[(credential, _body()) for credential in credentials],
        seconds=_LONGEST_SECONDS,
        connections=_CONNECTIONS,
        pause=_PAUSE_SECONDS,
        once=True,
        refused=refused,
    )
    others = Load(place, job).samples()
    load.stop()
    began = min(start for start, _ in others)
    ended = max(start + duration for start, duration in others)
    return statistics.median(taken for start, taken in load.samples() if began <= start <= ended)


def _body() -> str:
    return encode(SyncRequest(limit=_ENTRIES), "connect")


def _read(place: Installation, seconds: float) -> Load:
    job = Job(
        protocol="connect",
        port=place.server.port,
        path=f"/pidgr.v1.{SYNC}",
        requests=[(token, _body()) for token in place.tokens],
        seconds=seconds,
        connections=_CONNECTIONS,
        pause=_PAUSE_SECONDS,
    )
    return Load(place, job)


def _api_key() -> str:
    return f"pidgr_k_{secrets.token_urlsafe(32)}"


def _forged(token: str) -> str:
    """Return a token by one of our keys, with other claims and a signature that is none."""
    head, _, _ = token.split(".")
    claims = json.dumps({"sub": secrets.token_hex(16), "exp": 4_000_000_000}).encode()
    parts = (claims, secrets.token_bytes(256))
    return ".".join((head, *(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts)))
