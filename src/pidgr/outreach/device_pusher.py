"""Sends pushes to a provider that takes them one by one, over HTTP/2."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol

import httpx
from prometheus_client import Counter

from pidgr.clock import SECOND
from pidgr.errors import UnavailableError
from pidgr.outreach import retry_after
from pidgr.outreach.answer_memory import AnswerMemory, Answers, name_of
from pidgr.outreach.departure import Departure, NotStartedError
from pidgr.outreach.push import NOT_STARTED, Answer, Push

# Requests in flight; they share a few connections.
_AT_ONCE: Final = 100
_CONNECTIONS: Final = 4
_ANSWER_SECONDS: Final = 10.0
# How long a batch is pursued without any answer, and how long it waits where it is when its
# provider asks it to, before its lane lets go of it and comes back later.
_BATCH_SECONDS: Final = 10.0
_PATIENCE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 8.0
# How soon whoever waits for a turn notices that there will be none.
_LOOK_SECONDS: Final = 0.5

PUSHES: Final = Counter(
    "pidgr_pushes", "Pushes that a provider has answered.", ["provider", "outcome"]
)


@dataclass(frozen=True, slots=True)
class Later:
    """The provider wants the push again after ``seconds``, or does not say when."""

    reason: str
    seconds: float | None = None


class Provider(Protocol):
    """One provider's protocol."""

    name: str

    async def deliver(
        self, client: httpx.AsyncClient, push: Push, extensions: dict[str, Any]
    ) -> Answer | Later:
        """Send one push, by a request with these ``extensions``.

        Raises:
            NotStartedError: it must not start any more.
            UnavailableError: no push can be sent until the operator has mended something; the
                sentence says what.
            httpx.TransportError: no whole answer came.
        """


@dataclass(slots=True)
class _Deadline:
    """When a batch is given up, by the loop's time; every answer puts it off."""

    at: float = 0.0

    def put_off(self) -> None:
        self.at = asyncio.get_running_loop().time() + _BATCH_SECONDS


class _TooLateError(Exception):
    """The next request would not start soon, or before the batch's deadline."""


_NOT_NOW: Final = (_TooLateError, NotStartedError)


class _Pace:
    """Spaces a provider's requests, and holds them back while it asks to wait."""

    def __init__(self, per_second: float) -> None:
        self._spacing = 1 / per_second
        self._next = 0.0
        self._held_until = 0.0
        self._holds = 0
        self._pause = 0.0

    async def turn(self, deadline: _Deadline, departure: Departure) -> None:
        """Wait for this request's turn.

        Raises:
            _TooLateError: it comes after the deadline, or the provider asks for patience.
            NotStartedError: it will not come.
        """
        while True:
            now = asyncio.get_running_loop().time()
            start = max(self._next, self._held_until, now)
            if start > deadline.at or self.held_for > _PATIENCE_SECONDS:
                raise _TooLateError
            if self._held_until <= now:
                self._next = max(self._next, now) + self._spacing
                holds = self._holds
                await _wait_until(start, departure)
                if self._holds == holds:
                    return
                continue
            await _wait_until(self._held_until, departure)

    @property
    def held_for(self) -> float:
        """For how many seconds more nothing starts."""
        return max(self._held_until - asyncio.get_running_loop().time(), 0.0)

    def hold(self, seconds: float | None) -> None:
        """Start nothing for as long as the provider says, or a pause that doubles."""
        now = asyncio.get_running_loop().time()
        if seconds is None:
            if self._held_until > now:
                return
            self._pause = min(self._pause * 2 or 0.5, _LONGEST_PAUSE_SECONDS)
            seconds = self._pause
        if now + seconds > max(self._held_until, now):
            self._held_until = now + seconds
            # Turns that were given out are void.
            self._holds += 1
            self._next = 0.0

    def went_well(self) -> None:
        """Begin with short pauses again."""
        self._pause = 0.0


async def _wait_until(moment: float, departure: Departure) -> None:
    """Wait until a moment of the loop's time.

    Raises:
        NotStartedError: nothing starts any more.
    """
    left = moment - asyncio.get_running_loop().time()
    while left > 0:
        await asyncio.sleep(min(left, _LOOK_SECONDS))
        departure.require_open()
        left = moment - asyncio.get_running_loop().time()
    departure.require_open()


class _Connections:
    """A client and its connections, until one of them breaks.

    httpcore goes on giving requests to a broken HTTP/2 connection while others of its requests are
    under way (seen with 1.0.9: each of them fails in its turn). So everything moves to a new
    client, and the old one is closed when its last request has ended.
    """

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.client = httpx.AsyncClient(
            http2=True,
            verify=tls,
            timeout=_ANSWER_SECONDS,
            limits=httpx.Limits(max_connections=_CONNECTIONS),
        )
        self.answered = False
        self.broken = False
        self._requests = 0

    async def deliver(
        self, provider: Provider, push: Push, extensions: dict[str, Any]
    ) -> Answer | Later:
        """Let a provider send a push; a connection's end means to try again."""
        self._requests += 1
        try:
            answer = await provider.deliver(self.client, push, extensions)
        except httpx.TransportError as error:
            self.broken = True
            # One that has served ends now and then; one that has not may not be reached at all.
            return Later(type(error).__name__, 0 if self.answered else None)
        finally:
            self._requests -= 1
            if self.broken and not self._requests:
                await self.client.aclose()
        self.answered = True
        return answer


class DevicePusher:
    """A ``Pusher`` for one provider. Its requests run in a thread of their own.

    What the provider wants later is sent again while the batch's time lasts. Repeats carry the same
    identity, so that a device shows one notification for one delivery.
    """

    def __init__(self, provider: Provider, per_second: float) -> None:
        self._provider = provider
        self._pace = _Pace(per_second)
        self._memory = AnswerMemory()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._connections: _Connections | None = None
        # Made once, and not before it is needed: loading the authorities takes some 20 ms.
        self._tls: ssl.SSLContext | None = None

    def send(
        self, pushes: Sequence[Push], idempotency_key: str, departure: Departure
    ) -> list[Answer]:
        """Send a batch.

        Raises:
            UnavailableError: some pushes have no answer yet; the next call sends only those.
        """
        answers = self._memory.of(idempotency_key)
        batch = list(pushes)
        left = [push for push in batch if name_of(push) not in answers]
        if left:
            work = self._send(left, answers, departure)
            asyncio.run_coroutine_threadsafe(work, self._running()).result()
        return [answers.get(name_of(push), NOT_STARTED) for push in batch]

    def close(self) -> None:
        """Close the connections and end the thread."""
        with self._lock:
            loop, thread, connections = self._loop, self._thread, self._connections
            self._loop = self._thread = self._connections = None
        if loop is None or thread is None:
            return
        if connections is not None:
            asyncio.run_coroutine_threadsafe(connections.client.aclose(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name=f"push-{self._provider.name}", daemon=True
                )
                self._thread.start()
            return self._loop

    def _unbroken(self) -> _Connections:
        if self._connections is None or self._connections.broken:
            self._tls = self._tls or httpx.create_ssl_context()
            self._connections = _Connections(self._tls)
        return self._connections

    async def _send(self, left: Sequence[Push], answers: Answers, departure: Departure) -> None:
        deadline = _Deadline()
        deadline.put_off()
        queue = iter(left)
        workers = [
            asyncio.create_task(self._work(queue, answers, deadline, departure))
            for _ in range(min(_AT_ONCE, len(left)))
        ]
        # All of them end before this does: an answer that nobody notes is a push sent twice.
        ends = await asyncio.gather(*workers, return_exceptions=True)
        for error in ends:
            if isinstance(error, BaseException) and not isinstance(error, _NOT_NOW):
                raise error
        missing = sum(name_of(push) not in answers for push in left)
        if missing and not departure.is_stopped:
            raise UnavailableError(
                f"{self._provider.name} has not taken {missing} of {len(left)} pushes yet",
                pause=round(self._pace.held_for * SECOND),
            )

    async def _work(
        self, queue: Iterator[Push], answers: Answers, deadline: _Deadline, departure: Departure
    ) -> None:
        for push in queue:
            answer = await self._pursue(push, deadline, departure)
            deadline.put_off()
            answers[name_of(push)] = answer
            PUSHES.labels(self._provider.name, answer.outcome.name.lower()).inc()

    async def _pursue(self, push: Push, deadline: _Deadline, departure: Departure) -> Answer:
        while True:
            await self._pace.turn(deadline, departure)
            request = departure.async_request()
            answer = await self._unbroken().deliver(self._provider, push, request)
            if isinstance(answer, Answer):
                self._pace.went_well()
                return answer
            PUSHES.labels(self._provider.name, "later").inc()
            self._pace.hold(answer.seconds)


def wants_later(response: httpx.Response) -> Later | None:
    """Read the statuses that mean the same push may go through later (RFC 9110, RFC 6585)."""
    status = response.status_code
    if status != HTTPStatus.TOO_MANY_REQUESTS and not response.is_server_error:
        return None
    wait = retry_after.delay(response.headers)
    return Later(f"{status}", None if wait is None else wait / SECOND)
