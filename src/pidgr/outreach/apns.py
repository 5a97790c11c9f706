"""Apple Push Notification service: its HTTP/2 protocol with token authentication.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns
"""

import json
import re
import uuid
from http import HTTPStatus
from typing import Any, Final

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from pidgr.clock import DAY, MINUTE, SECOND, Clock
from pidgr.errors import SetupError, UnavailableError
from pidgr.outreach.device_pusher import Later, wants_later
from pidgr.outreach.push import ACCEPTED, Answer, Outcome, Push

# Tokens are good for an hour, and more than one new token in twenty minutes is refused.
_TOKEN_LIFETIME: Final = 40 * MINUTE
_YOUNGEST_TOKEN: Final = 20 * MINUTE
# A push that has not arrived by then is no news; the inbox has the message.
_EXPIRES_AFTER: Final = DAY
_DEVICE_TOKEN: Final = re.compile(r"[0-9A-Fa-f]{8,200}")
_DEAD: Final = frozenset(
    {"BadDeviceToken", "DeviceTokenNotForTopic", "Unregistered", "ExpiredToken"}
)
# The answer would be the same for everybody's push.
_OURS: Final = frozenset(
    {
        "BadCertificate", "BadCertificateEnvironment", "BadTopic", "Forbidden",
        "InvalidProviderToken", "InvalidPushType", "MissingProviderToken", "MissingTopic",
        "TopicDisallowed", "UnrelatedKeyIdInToken", "BadEnvironmentKeyIdInToken",
    }
)  # fmt: skip
_PUSH_IDS: Final = uuid.UUID("5d0fb6e1-8f7c-4a53-9d2f-6f3b0f6a7c11")


class Apns:
    """Speaks to APNs for one app."""

    name = "apns"

    def __init__(
        self, *, key: str, key_id: str, team_id: str, topic: str, url: str, clock: Clock
    ) -> None:
        """Take the app's signing key (PEM, as Apple's .p8 file has it) and names.

        Raises:
            SetupError: something is missing, or the key is none.
        """
        if not (key_id and team_id and topic):
            raise SetupError(
                "PIDGR_APNS_KEY needs PIDGR_APNS_KEY_ID, PIDGR_APNS_TEAM_ID and PIDGR_APNS_TOPIC"
            )
        try:
            self._key = ECKey.import_key(key)
        except (ValueError, JoseError):
            raise SetupError("PIDGR_APNS_KEY is not the PEM text of Apple's .p8 file") from None
        self._key_id = key_id
        self._team_id = team_id
        self._topic = topic
        self._url = url.rstrip("/")
        self._clock = clock
        self._token = ""
        self._issued_at = 0

    async def deliver(
        self, client: httpx.AsyncClient, push: Push, extensions: dict[str, Any]
    ) -> Answer | Later:
        """Send one push; see ``Provider``."""
        if not _DEVICE_TOKEN.fullmatch(push.push_token):
            # It would be part of the path.
            return Answer(Outcome.DEAD_TOKEN, "BadDeviceToken")
        token = self._provider_token()
        response = await client.post(
            f"{self._url}/3/device/{push.push_token}",
            content=payload(push),
            headers=self._headers(push, token),
            extensions=extensions,
        )
        if response.status_code == HTTPStatus.OK:
            return ACCEPTED
        reason = _reason(response)
        later = wants_later(response)
        if later is not None:
            return later
        if reason == "ExpiredProviderToken":
            self._renew(token)
            return Later(reason, 0 if self._token != token else None)
        if reason in _OURS:
            raise UnavailableError(
                f"APNs refuses every push ({reason}): check PIDGR_APNS_KEY, PIDGR_APNS_KEY_ID, "
                "PIDGR_APNS_TEAM_ID, PIDGR_APNS_TOPIC and PIDGR_APNS_URL"
            )
        if response.status_code == HTTPStatus.GONE or reason in _DEAD:
            return Answer(Outcome.DEAD_TOKEN, reason)
        return Answer(Outcome.REFUSED, reason)

    def _headers(self, push: Push, token: str) -> dict[str, str]:
        expiration = (self._clock.now() + _EXPIRES_AFTER) // SECOND
        return {
            "authorization": f"bearer {token}",
            "apns-topic": self._topic,
            "apns-push-type": "alert",
            "apns-priority": "10",
            "apns-expiration": str(expiration),
            # The same push is the same id, and replaces itself on the device.
            "apns-id": str(uuid.uuid5(_PUSH_IDS, f"{push.tag}:{push.device_id}")),
            "apns-collapse-id": push.tag,
            "content-type": "application/json",
        }

    def _provider_token(self) -> str:
        if self._clock.now() - self._issued_at >= _TOKEN_LIFETIME:
            self._issue()
        return self._token

    def _renew(self, refused: str) -> None:
        """Replace a token that APNs finds too old, unless that has happened or is too soon."""
        if self._token == refused and self._clock.now() - self._issued_at >= _YOUNGEST_TOKEN:
            self._issue()

    def _issue(self) -> None:
        now = self._clock.now()
        header = {"alg": "ES256", "kid": self._key_id}
        claims = {"iss": self._team_id, "iat": now // SECOND}
        self._token = jwt.encode(header, claims, self._key)
        self._issued_at = now


def payload(push: Push) -> bytes:
    """Return a notification's body: title and summary, and what leads to the message."""
    aps: dict[str, Any] = {
        "alert": {"title": push.title, "body": push.summary},
        "sound": "default",
        "thread-id": push.campaign_id,
    }
    if push.critical:
        aps["interruption-level"] = "time-sensitive"
    body = {"aps": aps, "delivery_id": push.delivery_id, "campaign_id": push.campaign_id}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["reason"])[:100]
    except (ValueError, KeyError, TypeError):
        return f"APNs answered {response.status_code}"
