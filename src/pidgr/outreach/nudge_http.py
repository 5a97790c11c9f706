"""What channels over HTTP share: one guarded exchange for each nudge, and outages that are told."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from pidgr.errors import UnavailableError
from pidgr.outreach import retry_after
from pidgr.outreach.address_guard import AddressGuard, AddressRefusedError
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer, NudgeOutcome
from pidgr.outreach.departure import Departure, NotStartedError
from pidgr.outreach.http_reply import ExchangeError, Reply
from pidgr.outreach.vetted_http import VettedHttp

_SECONDS: Final = 5.0
_ANSWER_BYTES: Final = 64 * 1024
CODE_LENGTH: Final = 100
# What a service answers that is away or asks to wait, whatever the nudge.
_AWAY: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True)
class JsonReply:
    """A status and the JSON object that came with it, empty if none did."""

    status: int
    document: Mapping[str, Any]

    def text(self, *path: str) -> str:
        """Return the text or number that is found along some keys, or nothing."""
        found: Any = self.document
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return str(found) if isinstance(found, str | int) else ""

    def code(self, *path: str) -> str:
        """Return the same, as short as a code is."""
        return self.text(*path)[:CODE_LENGTH]


class NudgeHttp:
    """Speaks to one service. Safe to use from several threads.

    Args:
        name: of the service, for messages.
        guard: judges where it may be.
    """

    def __init__(self, name: str, guard: AddressGuard) -> None:
        self._name = name
        self._guard = guard
        self._http = VettedHttp()

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Reply:
        """Send a request within five seconds and return the answer.

        Raises:
            UnavailableError: no answer, one that asks to wait, or an address that is not called.
        """
        try:
            reply = self._http.exchange(
                method,
                self._guard.vet(url),
                headers={
                    "user-agent": "pidgr",
                    "accept": "application/json",
                    "content-length": str(len(body)),
                    **headers,
                },
                content=iter([body]),
                seconds=_SECONDS,
                most_bytes=_ANSWER_BYTES,
            )
        except AddressRefusedError as error:
            raise self.outage(f"its URL {error}") from error
        except ExchangeError as error:
            raise self.outage(str(error)) from error
        if reply.status in _AWAY:
            raise self.outage(f"it answered {reply.status}", retry_after.delay(reply.headers) or 0)
        return reply

    def call(
        self,
        method: str,
        url: str,
        document: Mapping[str, object] | None = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> JsonReply:
        """Send a JSON document, if any, with a bearer token, if any, and return what comes back.

        Raises:
            UnavailableError: as for ``exchange``.
        """
        sent = dict(headers or {})
        if token:
            sent["authorization"] = f"Bearer {token}"
        body = b""
        if document is not None:
            sent["content-type"] = "application/json; charset=utf-8"
            body = json.dumps(document).encode()
        return json_reply(self.exchange(method, url, sent, body))

    def outage(self, why: str, pause: int = 0) -> UnavailableError:
        """Return the error that makes every nudge wait, for some microseconds at least."""
        return UnavailableError(f"{self._name} cannot be used: {why}", pause=pause)


def json_reply(reply: Reply) -> JsonReply:
    """Read an answer as JSON."""
    try:
        found = json.loads(reply.body)
    except ValueError:
        found = None
    return JsonReply(reply.status, found if isinstance(found, dict) else {})


def not_taken(status: int, code: str = "") -> NudgeAnswer:
    """Return what an answer means that is none of the known ones.

    A fault of the service's own is perhaps one with this nudge only: it is tried again.
    """
    later = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return NudgeAnswer(NudgeOutcome.LATER if later else NudgeOutcome.REFUSED, code or str(status))


def one_by_one(
    nudges: Sequence[Nudge], send: Callable[[Nudge], NudgeAnswer], departure: Departure
) -> Handed:
    """Hand nudges over until an outage or a stop."""
    answers: list[NudgeAnswer] = []
    for nudge in nudges:
        try:
            with departure.start():
                answers.append(send(nudge))
        except NotStartedError:
            break
        except UnavailableError as error:
            return Handed(answers, error)
    return Handed(answers)
