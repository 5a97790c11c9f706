"""Errors a caller may see: a code, a sentence that says what to do, and machine-readable details.

Domain code raises these; ``pidgr.rpc.error_mapping`` turns them into wire codes. The codes and
their meanings come from the contract (SEMANTICS 2.0).
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One rejected request field: its path in the request and why it was rejected."""

    field: str
    description: str


class PidgrError(Exception):
    """Base of every error whose message is safe and useful to show to the caller."""

    reason: str = "UNSPECIFIED"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if reason is not None:
            self.reason = reason


class SetupError(Exception):
    """Something only the operator can put right: the message says what and how, to no caller."""


class InvalidArgumentError(PidgrError):
    """The request itself is wrong, whatever the state of the system."""

    reason = "INVALID_ARGUMENT"

    def __init__(self, message: str, violations: tuple[FieldViolation, ...] = ()) -> None:
        super().__init__(message)
        self.violations = violations


class UnauthenticatedError(PidgrError):
    """No credential, or one that is invalid, expired or revoked."""

    reason = "UNAUTHENTICATED"


class UnknownCredentialError(UnauthenticatedError):
    """A credential nobody was ever given, as far as can be told: made up, or not of this system.

    For the caller it is like any other that is not valid; doors count how many come.
    """


class StaleAuthenticationError(UnauthenticatedError):
    """The person must prove again who they are (RFC 9470); SEMANTICS 2.0 fixes how it begins."""

    reason = "INSUFFICIENT_USER_AUTHENTICATION"

    def __init__(self, max_age_seconds: int) -> None:
        super().__init__(
            "insufficient_user_authentication: sign in again, then repeat this call within "
            f"{max_age_seconds} seconds"
        )
        self.max_age_seconds = max_age_seconds


class PermissionDeniedError(PidgrError):
    """The caller is known and lacks the right."""

    reason = "PERMISSION_DENIED"


class NotFoundError(PidgrError):
    """No such thing in the caller's organization, whether or not it exists in another one."""

    reason = "NOT_FOUND"


class AlreadyExistsError(PidgrError):
    """A unique name, address or key is taken."""

    reason = "ALREADY_EXISTS"


class FailedPreconditionError(PidgrError):
    """The thing exists and is in the wrong state for this call."""

    reason = "FAILED_PRECONDITION"


class ResourceExhaustedError(PidgrError):
    """A rate or a quota is used up."""

    reason = "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(PidgrError):
    """The server cannot answer now; the same call may succeed shortly.

    ``pause`` is for how many microseconds whatever is away asks not to be called again.
    """

    reason = "UNAVAILABLE"

    def __init__(self, message: str, *, pause: int = 0) -> None:
        super().__init__(message)
        self.pause = pause


class UnimplementedError(PidgrError):
    """The contract names this RPC and this server does not offer it yet."""

    reason = "UNIMPLEMENTED"


def invalid_field(path: str, description: str) -> InvalidArgumentError:
    """Return the error for one bad request field, for example ``name: must not be empty``."""
    return InvalidArgumentError(f"{path}: {description}", (FieldViolation(path, description),))


@dataclass(slots=True)
class Violations:
    """Collects every bad field of a request, so that the caller learns of all of them at once."""

    found: list[FieldViolation] = field(default_factory=list)

    def add(self, path: str, description: str) -> None:
        """Note one bad field."""
        self.found.append(FieldViolation(path, description))

    def raise_if_any(self) -> None:
        """Raise InvalidArgumentError naming every field noted so far."""
        if self.found:
            message = "; ".join(f"{v.field}: {v.description}" for v in self.found[:10])
            raise InvalidArgumentError(message, tuple(self.found))
