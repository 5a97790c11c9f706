"""What an application asks for when it sends a person here (RFC 6749 4.1.1, 7636, 8707, 9207)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pidgr.identity.oauth import scopes
from pidgr.identity.oauth.clients import Client
from pidgr.identity.oauth.errors import OAuthError, invalid_request, invalid_scope

_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_LONGEST_STATE: Final = 2_000
# Digits: any number of seconds, and none that overflows.
_LONGEST_AGE: Final = 9
_PROMPTS: Final = frozenset({"none", "login", "consent", "select_account"})


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that has passed every check."""

    client: Client
    redirect_uri: str
    scopes: frozenset[str]
    challenge: str
    max_age: int | None
    """How many seconds old a sign-in at a provider may be; None for any. All others are new."""


def single(parameters: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return parameters by name; empty ones count as left out (RFC 6749 3.1).

    Raises:
        OAuthError: one is given twice, or holds what no parameter may.
    """
    found: dict[str, str] = {}
    for name, value in parameters:
        if name in found:
            raise invalid_request(f"{name[:50]} is given more than once")
        if "\0" in value or not value.isascii():
            raise invalid_request(f"{name[:50]} holds a character it may not hold")
        found[name] = value
    return {name: value for name, value in found.items() if value}


def read(
    client: Client, redirect_uri: str, given: Mapping[str, str], resources: Sequence[str]
) -> AuthorizationRequest:
    """Check everything but who asks and where the answer goes, which the caller has checked.

    Raises:
        OAuthError: to be told to the application.
    """
    for name in ("request", "request_uri"):
        if name in given:
            raise OAuthError(f"{name}_not_supported", "send plain parameters")
    _check_response(given)
    if given.get("code_challenge_method") != "S256":
        raise invalid_request("code_challenge_method must be S256")
    if not _CHALLENGE.fullmatch(given.get("code_challenge", "")):
        raise invalid_request("code_challenge must be the base64url SHA-256 of a verifier")
    if "resource" in given and given["resource"].rstrip("/") not in resources:
        raise OAuthError("invalid_target", "this server gives no tokens for that resource")
    max_age = _max_age(given)
    wanted = scopes.parse(given.get("scope", "")) or client.scopes
    if not wanted <= client.scopes:
        raise invalid_scope()
    return AuthorizationRequest(client, redirect_uri, wanted, given["code_challenge"], max_age)


def _check_response(given: Mapping[str, str]) -> None:
    kind = given.get("response_type")
    if kind is None:
        raise invalid_request("response_type is missing")
    if kind != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    if given.get("response_mode", "query") != "query":
        raise invalid_request("response_mode must be query")
    if len(given.get("state", "")) > _LONGEST_STATE:
        raise invalid_request(f"state is longer than {_LONGEST_STATE:,} characters")


def is_seconds(text: str) -> bool:
    """Tell whether a ``max_age`` is one."""
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_AGE


def _max_age(given: Mapping[str, str]) -> int | None:
    """Return how old a sign-in at a provider may be; here every request gets a new one.

    Raises:
        OAuthError: malformed, or login_required: it must do without a page.
    """
    max_age = given.get("max_age")
    if max_age is not None and not is_seconds(max_age):
        raise invalid_request("max_age must be a number of seconds")
    prompts = frozenset(given.get("prompt", "").split())
    if not prompts <= _PROMPTS or ("none" in prompts and len(prompts) > 1):
        raise invalid_request("prompt must be none, or of login, consent and select_account")
    if "none" in prompts:
        raise OAuthError("login_required", "the person has to sign in")
    if "login" in prompts:
        return 0
    return None if max_age is None else int(max_age)
