"""Pushes as an HTTP POST of JSON, for gateways of one's own and for tests.

Request body::

    {"pushes": [{"delivery_id": "...", "campaign_id": "...", "device_id": "...", "platform": "IOS",
                 "push_token": "...", "title": "...", "summary": "...", "critical": false}]}

A 2xx answer accepts the batch; its body may name exceptions::

    {"results": [{"device_id": "...", "status": "dead_token" | "refused", "reason": "..."}]}

A 2xx body of any other shape names no exceptions: the batch has been accepted, and sending it again
would reach everybody twice.
"""

from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final

import httpx
import structlog

from pidgr.errors import UnavailableError
from pidgr.outreach import retry_after
from pidgr.outreach.departure import Departure, NotStartedError
from pidgr.outreach.push import ACCEPTED, NOT_STARTED, Answer, Outcome, Push

_TIMEOUT_SECONDS: Final = 10.0
log = structlog.get_logger("pidgr.push")

_OUTCOMES: Final = {"dead_token": Outcome.DEAD_TOKEN, "refused": Outcome.REFUSED}


class HttpPusher:
    """Posts batches to one URL. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.Client(timeout=_TIMEOUT_SECONDS)

    def send(
        self, pushes: Sequence[Push], idempotency_key: str, departure: Departure
    ) -> list[Answer]:
        """Post a batch, in one request.

        Raises:
            UnavailableError: no answer, 429 or a server error; or it was interrupted.
        """
        try:
            departure.require_open()
            body = {"pushes": [asdict(push) for push in pushes]}
            response = self._client.post(
                self._url,
                json=body,
                headers={"idempotency-key": idempotency_key},
                extensions=departure.request(),
            )
        except NotStartedError:
            departure.require_stopped()
            return [NOT_STARTED] * len(pushes)
        except httpx.TransportError as error:
            raise UnavailableError("the push gateway cannot be reached") from error
        if response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            pause = retry_after.delay(response.headers) or 0
            raise UnavailableError(f"the push gateway answered {response.status_code}", pause=pause)
        if not response.is_success:
            answer = Answer(Outcome.REFUSED, f"the push gateway answered {response.status_code}")
            return [answer] * len(pushes)
        exceptions = _exceptions(response)
        return [exceptions.get(push.device_id, ACCEPTED) for push in pushes]

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _exceptions(response: httpx.Response) -> dict[str, Answer]:
    if not response.headers.get("content-type", "").startswith("application/json"):
        return {}
    try:
        return dict(map(_exception, response.json().get("results", [])))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("the push gateway's answer cannot be read", error=repr(error))
        return {}


def _exception(result: dict[str, Any]) -> tuple[str, Answer]:
    outcome = _OUTCOMES.get(result["status"], Outcome.ACCEPTED)
    return str(result["device_id"]), Answer(outcome, str(result.get("reason", "")))
