"""Webhooks: a signed JSON document, posted once per attempt.

The receiver recomputes ``HMAC-SHA256(secret, X-Pidgr-Timestamp + "." + body)`` in lowercase hex and
compares it with ``X-Pidgr-Signature``; a timestamp some minutes old means a replay. Repeats of one
webhook carry one ``Idempotency-Key``. Why the body is spooled first, and why the timestamp is
signed: docs/decisions/0009-webhooks.md.
"""

import hmac
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self

from pidgr.outreach import retry_after
from pidgr.outreach.address_guard import Target
from pidgr.outreach.http_reply import ExchangeError
from pidgr.outreach.vetted_http import VettedHttp

_SECONDS: Final = 10.0
# A long body gets the time that a slow line needs on top.
_SLOWEST_BYTES_PER_SECOND: Final = 256 * 1024
# Read and thrown away, so that a polite receiver is not cut off in its answer.
_ANSWER_BYTES: Final = 16 * 1024
_MEMORY_BYTES: Final = 1024 * 1024
_PART_BYTES: Final = 64 * 1024

_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?|")
# What frames the message or belongs to one connection, and what is ours to say.
_RESERVED: Final = frozenset(
    {
        "connection",
        "date",
        "expect",
        "host",
        "idempotency-key",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_RESERVED_PREFIXES: Final = ("content-", "proxy-", "x-pidgr-")


def header_problem(name: str, value: str) -> str | None:
    """Return what is wrong with a header that a tenant wants to add, or None."""
    lowered = name.lower()
    if _HEADER_NAME.fullmatch(name) is None:
        return "must be a header name"
    if lowered in _RESERVED or lowered.startswith(_RESERVED_PREFIXES):
        return "is a header that Pidgr sets itself"
    if _HEADER_VALUE.fullmatch(value) is None:
        return "must be printable ASCII without space at its ends"
    return None


class SignedBody:
    """A body that is written once, signed on the way and kept on disk beyond a megabyte.

    Use it as a context manager; the file is gone at the end, also when the process dies.

    Args:
        secret: the organization's webhook secret; its characters are the key.
        timestamp: seconds since 1970, which the signature covers.
    """

    def __init__(self, secret: str, timestamp: int) -> None:
        self.timestamp: Final = timestamp
        self.length = 0
        self._file = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES)  # noqa: SIM115
        self._mac = hmac.new(secret.encode(), f"{timestamp}.".encode(), "sha256")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def write(self, part: bytes) -> None:
        """Add to the body."""
        self.length += len(part)
        self._mac.update(part)
        self._file.write(part)

    @property
    def signature(self) -> str:
        """The signature of what has been written so far, in lowercase hex."""
        return self._mac.hexdigest()

    def parts(self) -> Iterator[bytes]:
        """Return the body from its beginning."""
        self._file.seek(0)
        while part := self._file.read(_PART_BYTES):
            yield part


@dataclass(frozen=True, slots=True)
class Answer:
    """How one attempt ended: a status, or an error in our words.

    ``retry_after`` is how many microseconds the receiver asks to wait, an hour at most.
    """

    status: int | None = None
    error: str = ""
    retry_after: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the receiver has taken the document."""
        return self.status is not None and HTTPStatus.OK <= self.status < 300  # noqa: PLR2004


def post(
    http: VettedHttp,
    target: Target,
    body: SignedBody,
    *,
    idempotency_key: str,
    headers: Mapping[str, str],
) -> Answer:
    """Post a body once and return how that went; whatever the receiver does, it is an answer.

    Args:
        http: the way out.
        target: where to, as the guard has judged it just now.
        body: the whole document.
        idempotency_key: the same for every repeat.
        headers: the tenant's, which have passed :func:`header_problem`.
    """
    ours = {
        "content-type": "application/json",
        "content-length": str(body.length),
        "idempotency-key": idempotency_key,
        "x-pidgr-timestamp": str(body.timestamp),
        "x-pidgr-signature": body.signature,
    }
    own = {name.lower(): value for name, value in headers.items()}
    try:
        reply = http.exchange(
            "POST",
            target,
            headers={"user-agent": "pidgr-webhook", **own, **ours},
            content=body.parts(),
            seconds=_SECONDS + body.length / _SLOWEST_BYTES_PER_SECOND,
            most_bytes=_ANSWER_BYTES,
        )
    except ExchangeError as error:
        return Answer(error=str(error))
    answer = Answer(reply.status, retry_after=retry_after.delay(reply.headers) or 0)
    if answer.accepted:
        return answer
    return Answer(reply.status, f"it answered {reply.status}", answer.retry_after)
