"""The one place where errors become wire codes and google.rpc details."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import structlog
from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import Headers
from protobuf import Message
from protobuf.wkt import Duration

from pidgr import errors
from pidgr.clock import SECOND
from pidgr.contract.rpc.error_details_pb import BadRequest, ErrorInfo, RetryInfo

DOMAIN: Final = "pidgr.v1"
# An error travels in HTTP trailers, of which gRPC clients accept 8 KiB: beyond that they see
# RESOURCE_EXHAUSTED and no text. The message goes there twice, percent-encoded (three bytes for
# one outside ASCII) and in the details, and these in base64. Callers' own values may stand in both.
_MESSAGE_BYTES: Final = 900
_VIOLATIONS_BYTES: Final = 2_000
_FIELD_BYTES: Final = 200
_DESCRIPTION_BYTES: Final = 600
_CODES: Final[dict[type[errors.PidgrError], Code]] = {
    errors.InvalidArgumentError: Code.INVALID_ARGUMENT,
    errors.UnauthenticatedError: Code.UNAUTHENTICATED,
    errors.StaleAuthenticationError: Code.UNAUTHENTICATED,
    errors.UnknownCredentialError: Code.UNAUTHENTICATED,
    errors.PermissionDeniedError: Code.PERMISSION_DENIED,
    errors.NotFoundError: Code.NOT_FOUND,
    errors.AlreadyExistsError: Code.ALREADY_EXISTS,
    errors.FailedPreconditionError: Code.FAILED_PRECONDITION,
    errors.ResourceExhaustedError: Code.RESOURCE_EXHAUSTED,
    errors.UnavailableError: Code.UNAVAILABLE,
    errors.UnimplementedError: Code.UNIMPLEMENTED,
}

log = structlog.get_logger(__name__)


def to_connect_error(error: Exception, response_headers: Headers) -> ConnectError:
    """Return what the client sees of an error.

    Errors of ours and of the protocol library (an unreadable message, a deadline) keep their
    sentence. Anything else is a defect: it is logged whole under an opaque id, and the client gets
    the id.
    """
    if isinstance(error, ConnectError):
        reason = ErrorInfo(reason=error.code.name, domain=DOMAIN)
        message = _shortened(error.message, _MESSAGE_BYTES)
        return ConnectError(error.code, message, error.details or [reason])
    if isinstance(error, errors.PidgrError):
        if isinstance(error, errors.ResourceExhaustedError) and error.retry_after_seconds:
            # A header only: set in the trailers too, gRPC-Web clients would read "7, 7".
            response_headers["retry-after"] = str(-(-_wait(error) // SECOND))
        if isinstance(error, errors.StaleAuthenticationError):
            response_headers["www-authenticate"] = (
                f'Bearer error="insufficient_user_authentication", max_age={error.max_age_seconds}'
            )
        message = _shortened(error.message, _MESSAGE_BYTES)
        return ConnectError(_CODES[type(error)], message, list(_details(error)))
    return _internal(error)


def _details(error: errors.PidgrError) -> Iterator[Message]:
    yield ErrorInfo(reason=error.reason, domain=DOMAIN)
    if isinstance(error, errors.InvalidArgumentError) and error.violations:
        yield BadRequest(field_violations=list(_field_violations(error.violations)))
    if isinstance(error, errors.ResourceExhaustedError) and error.retry_after_seconds:
        delay = timedelta(microseconds=_wait(error))
        yield RetryInfo(retry_delay=Duration.from_timedelta(delay))


def _wait(error: errors.ResourceExhaustedError) -> int:
    """Return the microseconds to wait, as they were before they became a fraction."""
    return round((error.retry_after_seconds or 0) * SECOND)


def _field_violations(
    violations: Sequence[errors.FieldViolation],
) -> Iterator[BadRequest.FieldViolation]:
    """Return the first violations, as many as there is room for."""
    room = _VIOLATIONS_BYTES
    for violation in violations:
        field = _shortened(violation.field, _FIELD_BYTES)
        description = _shortened(violation.description, _DESCRIPTION_BYTES)
        room -= len(field.encode()) + len(description.encode())
        if room < 0:
            return
        yield BadRequest.FieldViolation(field=field, description=description)


def _shortened(text: str, longest: int) -> str:
    """Return a text that has at most ``longest`` bytes in UTF-8."""
    encoded = text[: longest + 1].encode()
    if len(encoded) <= longest:
        return text
    return encoded[: longest - len("…".encode())].decode(errors="ignore") + "…"


def _internal(error: Exception) -> ConnectError:
    error_id = uuid.uuid4().hex
    log.error("unexpected error", error_id=error_id, exc_info=error)
    return ConnectError(
        Code.INTERNAL,
        f"something went wrong on our side; quote error {error_id} to your administrator",
        [ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"error_id": error_id})],
    )
