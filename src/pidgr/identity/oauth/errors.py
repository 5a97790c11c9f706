"""Refusals in the words of OAuth (RFC 6749 4.1.2.1 and 5.2, RFC 8707, RFC 9101)."""


class OAuthError(Exception):
    """A registered error code and a sentence for the developer of the application."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description


def invalid_request(description: str) -> OAuthError:
    """Return the error for a parameter that is missing, repeated or malformed."""
    return OAuthError("invalid_request", description)


def invalid_grant() -> OAuthError:
    """Return the one answer to every code and refresh token that is no good."""
    return OAuthError(
        "invalid_grant",
        "the code or refresh token is unknown, expired, used or not this client's; ask the person "
        "again",
    )


def invalid_client() -> OAuthError:
    """Return the error for an application nobody has registered here."""
    return OAuthError(
        "invalid_client", "no such client; its operator registers it with this server"
    )


def invalid_scope() -> OAuthError:
    """Return the error for a scope that does not exist or goes beyond what may be asked."""
    return OAuthError("invalid_scope", "a scope is unknown or more than this client may ask for")
