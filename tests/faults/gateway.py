"""A push gateway on 127.0.0.1 that remembers every batch and misbehaves on request."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Batch:
    key: str
    pushes: tuple[dict[str, Any], ...]

    @property
    def lane(self) -> str:
        return self.key.rpartition(":")[0]


@dataclass(frozen=True)
class Reply:
    """What the gateway answers: a status, exceptions by device, or raw bytes instead."""

    status: int = 200
    results: Sequence[dict[str, str]] = ()
    raw: bytes | None = None


@dataclass(frozen=True)
class Accepted:
    """A batch that was answered with 2xx, whether or not anybody was there to hear it."""

    batch: Batch
    reply: Reply
    at: float = field(default_factory=time.monotonic)

    def reached(self) -> Iterator[tuple[str, str]]:
        """Yield delivery and device of each push that the answer does not except."""
        refused = {result["device_id"] for result in self.reply.results}
        for push in self.batch.pushes:
            if push["device_id"] not in refused:
                yield push["delivery_id"], push["device_id"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, gateway: "Gateway") -> None:
        self.gateway = gateway
        super().__init__(("127.0.0.1", port), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in two writes: without this each answer waits for a delayed ACK.
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        try:
            self._answer()
        except ConnectionError:
            self.close_connection = True

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        gateway = self.server.gateway
        if gateway.closed:
            self.close_connection = True
            return
        pushes = tuple(json.loads(body)["pushes"])
        reply = gateway.take(Batch(self.headers["idempotency-key"], pushes))
        text = reply.raw
        if text is None:
            text = json.dumps({"results": list(reply.results)}).encode()
        self.send_response(reply.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        del format, args


def accept(batch: Batch) -> Reply:
    del batch
    return Reply()


class Gateway:
    def __init__(self) -> None:
        self.behave: Callable[[Batch], Reply] = accept
        self.closed = False
        self._lock = threading.Lock()
        self.received: list[Batch] = []
        self.accepted: list[Accepted] = []
        self._server = _Server(0, self)
        self._port = self._server.server_address[1]
        self._serve()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/push"

    def _serve(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take(self, batch: Batch) -> Reply:
        with self._lock:
            self.received.append(batch)
        reply = self.behave(batch)
        if 200 <= reply.status < 300:
            with self._lock:
                self.accepted.append(Accepted(batch, reply))
        return reply

    @contextmanager
    def unreachable(self) -> Iterator[None]:
        """Refuse connections, and hang up on those that are open, for the length of a block."""
        self.closed = True
        self._server.shutdown()
        self._server.server_close()
        yield
        self.closed = False
        self._server = _Server(self._port, self)
        self._serve()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def snapshot(self) -> list[Accepted]:
        with self._lock:
            return list(self.accepted)

    def pushes(self) -> Counter[tuple[str, str]]:
        """How often each device was reached, by delivery and device."""
        return Counter(push for accepted in self.snapshot() for push in accepted.reached())

    def repeats_by_lane(self) -> Counter[str]:
        """How many batches each lane sent again under the same key.

        Pushes that were held back at the same time have a task of their own, which runs beside
        others of its lane and is interrupted like one: it counts as a lane.
        """
        keys = Counter(accepted.batch.key for accepted in self.snapshot())
        repeats: Counter[str] = Counter()
        for key, times in keys.items():
            lane, _, part = key.rpartition(":")
            _since, _, held = part.partition("@")
            repeats[f"{lane}:{held}"] += times - 1
        return repeats
