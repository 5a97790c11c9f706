"""Firebase Cloud Messaging, HTTP v1, with a service account's credentials.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages
"""

import asyncio
from http import HTTPStatus
from typing import Any, Final

import httpx

from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.errors import UnavailableError
from pidgr.outreach.device_pusher import Later, wants_later
from pidgr.outreach.google_account import ServiceAccount
from pidgr.outreach.push import ACCEPTED, Answer, Outcome, Push

_SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
# A token is replaced this long before it ends.
_MARGIN: Final = 5 * MINUTE
_TIME_TO_LIVE: Final = "86400s"
_DEAD: Final = frozenset({"UNREGISTERED", "SENDER_ID_MISMATCH"})


class Fcm:
    """Speaks to FCM for one project."""

    name = "fcm"

    def __init__(self, account: ServiceAccount, url: str, clock: Clock) -> None:
        self._account = account
        self._send_url = f"{url.rstrip('/')}/v1/projects/{account.project_id}/messages:send"
        self._clock = clock
        self._token = ""
        self._issued_at = 0
        self._expires_at = 0
        self._asking = asyncio.Lock()

    async def deliver(
        self, client: httpx.AsyncClient, push: Push, extensions: dict[str, Any]
    ) -> Answer | Later:
        """Send one push; see ``Provider``."""
        token = await self._access_token(client)
        response = await client.post(
            self._send_url,
            json=message(push),
            headers={"authorization": f"Bearer {token}"},
            extensions=extensions,
        )
        if response.status_code == HTTPStatus.OK:
            return ACCEPTED
        later = wants_later(response)
        if later is not None:
            return later
        code, status, is_token = _error(response)
        if code in _DEAD or is_token:
            return Answer(Outcome.DEAD_TOKEN, code or status)
        if response.status_code == HTTPStatus.UNAUTHORIZED and code != "THIRD_PARTY_AUTH_ERROR":
            if token == self._token and self._is_young():
                raise self._misconfigured(status)
            self._forget(token)
            return Later(status, 0)
        if response.status_code in {
            HTTPStatus.UNAUTHORIZED,
            HTTPStatus.FORBIDDEN,
            HTTPStatus.NOT_FOUND,
        }:
            raise self._misconfigured(code or status)
        return Answer(Outcome.REFUSED, code or status)

    @staticmethod
    def _misconfigured(reason: str) -> UnavailableError:
        return UnavailableError(
            f"FCM refuses every push ({reason}): check PIDGR_FCM_CREDENTIALS, and for iOS the APNs "
            "key in the Firebase project"
        )

    def _is_young(self) -> bool:
        return self._clock.now() - self._issued_at < MINUTE

    def _forget(self, refused: str) -> None:
        if self._token == refused:
            self._expires_at = 0

    async def _access_token(self, client: httpx.AsyncClient) -> str:
        """Return a token, a new one when it is time (RFC 7523)."""
        async with self._asking:
            now = self._clock.now()
            if now < self._expires_at - _MARGIN:
                return self._token
            response = await client.post(
                self._account.token_uri,
                data=self._account.token_form(_SCOPE, now),
            )
            if response.is_server_error or response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                raise UnavailableError(f"Google's token server answered {response.status_code}")
            try:
                answer = response.json()
                token, seconds = str(answer["access_token"]), int(answer["expires_in"])
            except (ValueError, KeyError, TypeError):
                raise self._misconfigured(f"no token: {response.status_code}") from None
            self._token, self._issued_at, self._expires_at = token, now, now + seconds * SECOND
            return token


def message(push: Push) -> dict[str, Any]:
    """Return the request's body: title and summary, and what leads to the message."""
    return {
        "message": {
            "token": push.push_token,
            "notification": {"title": push.title, "body": push.summary},
            "data": {"delivery_id": push.delivery_id, "campaign_id": push.campaign_id},
            "android": {
                "priority": "HIGH",
                "ttl": _TIME_TO_LIVE,
                # A push that comes twice replaces itself.
                "collapse_key": push.tag,
                "notification": {
                    "tag": push.tag,
                    "notification_priority": (
                        "PRIORITY_MAX" if push.critical else "PRIORITY_DEFAULT"
                    ),
                },
            },
            "apns": {
                "headers": {"apns-collapse-id": push.tag},
                "payload": {
                    "aps": {
                        "sound": "default",
                        "thread-id": push.campaign_id,
                        "interruption-level": "time-sensitive" if push.critical else "active",
                    }
                },
            },
        }
    }


def _error(response: httpx.Response) -> tuple[str, str, bool]:
    """Return FCM's own code, the general status, and whether the token is what is wrong."""
    try:
        error = response.json()["error"]
        status = str(error.get("status", ""))[:100]
        details = [one for one in error.get("details", []) if isinstance(one, dict)]
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", f"FCM answered {response.status_code}", False
    codes = [str(one["errorCode"])[:100] for one in details if "errorCode" in one]
    is_token = any(
        violation.get("field") == "message.token"
        for one in details
        for violation in one.get("fieldViolations", [])
    )
    return (codes[0] if codes else ""), status or f"FCM answered {response.status_code}", is_token
