"""Web Push: pushes to browsers through the push service of each (RFC 8030)."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Self

import httpx
from cryptography.hazmat.primitives.asymmetric import ec

from pidgr.errors import SetupError
from pidgr.outreach.device_pusher import Later, wants_later
from pidgr.outreach.push import ACCEPTED, Answer, Outcome, Push
from pidgr.outreach.vapid import Vapid, base64url
from pidgr.outreach.web_push_encryption import encrypt, public_bytes

# A push that has not arrived by then is no news; the inbox has the message.
_TIME_TO_LIVE_SECONDS: Final = 86_400
_SECRET_BYTES: Final = 16
_LONGEST_ENDPOINT: Final = 2_048
_LONGEST_KEY: Final = 100
# RFC 8030, section 5.4.
_LONGEST_TOPIC: Final = 32
_DEAD: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_OURS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class SubscriptionError(ValueError):
    """Not a browser's subscription; the sentence says what is wrong."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a browser is reached, and for whose eyes alone."""

    endpoint: str
    public_key: bytes
    secret: bytes

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Self:
        """Read what ``PushSubscription.toJSON()`` gives (Push API, section 8).

        Raises:
            SubscriptionError: it is not of that form.
        """
        endpoint, keys = values.get("endpoint"), values.get("keys")
        if not isinstance(endpoint, str) or not 0 < len(endpoint) <= _LONGEST_ENDPOINT:
            told = f"endpoint must be a URL of at most {_LONGEST_ENDPOINT:,} characters"
            raise SubscriptionError(told)
        if not isinstance(keys, Mapping):
            raise SubscriptionError("keys must have p256dh and auth")
        found = cls(endpoint, _decoded(keys.get("p256dh")), _decoded(keys.get("auth")))
        if len(found.secret) != _SECRET_BYTES:
            raise SubscriptionError(f"keys.auth must be {_SECRET_BYTES} bytes in base64url")
        try:
            point = found.point()
        except ValueError:
            raise SubscriptionError("keys.p256dh must be a point of P-256 in base64url") from None
        return cls(endpoint, public_bytes(point), found.secret)

    @classmethod
    def from_token(cls, token: str) -> Self:
        """Return what ``token`` was made of."""
        return cls.of(json.loads(token))

    @property
    def token(self) -> str:
        """The same as a push token."""
        keys = {"p256dh": base64url(self.public_key), "auth": base64url(self.secret)}
        return json.dumps({"endpoint": self.endpoint, "keys": keys}, separators=(",", ":"))

    def point(self) -> ec.EllipticCurvePublicKey:
        """Return the browser's public key."""
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), self.public_key)


def _decoded(text: object) -> bytes:
    if not isinstance(text, str) or len(text) > _LONGEST_KEY:
        raise SubscriptionError("keys must be texts in base64url")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise SubscriptionError("keys must be in base64url") from None


class PushServices:
    """The push services this server speaks to, as the operator names them.

    A browser's endpoint is a URL that anybody can make up, so it leads nowhere but to these.

    Args:
        names: host names, which stand for their subdomains too, over https and its usual port;
            or whole origins such as ``http://push.internal:8080``.

    Raises:
        SetupError: a name is neither.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names: Final = tuple(name.lower() for name in names)
        for name in self.names:
            url = name if "://" in name else f"https://{name}"
            if not name or _origin(url) != url:
                told = f"{name!r} of PIDGR_WEB_PUSH_SERVICES is neither a host name nor an origin"
                raise SetupError(told)

    def of(self, endpoint: str) -> str | None:
        """Return the name that an endpoint belongs to, or None."""
        origin = _origin(endpoint)
        for name in self.names:
            if origin in {name, f"https://{name}"}:
                return name
            host = origin.removeprefix("https://")
            if "://" not in name and "://" not in host and host.endswith(f".{name}"):
                # An origin with another port does not end in the name.
                return name
        return None

    def of_push(self, push: Push) -> str:
        """Return the name that a push goes to; empty when its service is no longer spoken to."""
        return self.of(Subscription.from_token(push.push_token).endpoint) or ""


def _origin(url: str) -> str:
    """Return the origin of a URL (RFC 6454); empty of what has none, or has a user name."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return ""
    if parsed.scheme not in {"https", "http"} or not parsed.host or parsed.userinfo:
        return ""
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}".lower()


class WebPush:
    """Speaks to push services."""

    name = "web_push"

    def __init__(self, vapid: Vapid) -> None:
        self._vapid = vapid

    async def deliver(
        self, client: httpx.AsyncClient, push: Push, extensions: dict[str, Any]
    ) -> Answer | Later:
        """Send one push; see ``Provider``."""
        subscription = Subscription.from_token(push.push_token)
        response = await client.post(
            subscription.endpoint,
            content=encrypt(payload(push), subscription.point(), subscription.secret),
            headers={
                "authorization": self._vapid.authorization(_origin(subscription.endpoint)),
                "content-encoding": "aes128gcm",
                "content-type": "application/octet-stream",
                "ttl": str(_TIME_TO_LIVE_SECONDS),
                "urgency": "high" if push.critical else "normal",
                # A push that comes twice replaces itself, as long as the browser is away.
                "topic": topic(push.tag),
            },
            extensions=extensions,
        )
        if response.is_success:
            return ACCEPTED
        later = wants_later(response)
        if later is not None:
            return later
        status = response.status_code
        if status in _DEAD:
            return Answer(Outcome.DEAD_TOKEN, f"the push service answered {status}")
        # Also when the browser subscribed with another master key's public key.
        hint = ": is it another master key, or a wrong clock?" if status in _OURS else ""
        return Answer(Outcome.REFUSED, f"the push service answered {status}{hint}")


def payload(push: Push) -> bytes:
    """Return what a service worker gets: title and summary, and what leads to the message.

    Those have 700 characters at most, of up to four bytes, so that it fits the 3,993 bytes that
    are left of what every push service must take (RFC 8291, section 4).
    """
    values = {
        "title": push.title,
        "body": push.summary,
        "delivery_id": push.delivery_id,
        "campaign_id": push.campaign_id,
        "critical": push.critical,
    }
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def topic(tag: str) -> str:
    """Return a name for push services of what pushes are about, which tells them nothing."""
    return base64url(hashlib.sha256(tag.encode()).digest())[:_LONGEST_TOPIC]
