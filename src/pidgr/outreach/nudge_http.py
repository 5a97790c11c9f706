"""What channels over HTTP share: one guarded exchange for each nudge, and outages that are told."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from pidgr.errors import UnavailableError
from pidgr.outreach.address_guard import AddressGuard, AddressRefusedError
from pidgr.outreach.channels import Handed, Nudge, NudgeAnswer
from pidgr.outreach.vetted_http import ExchangeError, Reply, VettedHttp

_SECONDS: Final = 5.0
_ANSWER_BYTES: Final = 64 * 1024
# What a service answers that is away or asks to wait, whatever the nudge.
_AWAY: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


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
            raise self.outage(f"it answered {reply.status}")
        return reply

    def outage(self, why: str) -> UnavailableError:
        """Return the error that makes every nudge wait."""
        return UnavailableError(f"{self._name} cannot be used: {why}")


def one_by_one(nudges: Sequence[Nudge], send: Callable[[Nudge], NudgeAnswer]) -> Handed:
    """Hand nudges over until an outage."""
    answers: list[NudgeAnswer] = []
    for nudge in nudges:
        try:
            answers.append(send(nudge))
        except UnavailableError as error:
            return Handed(answers, error)
    return Handed(answers)
