"""E-mail domains in one spelling, and the record that proves whose a domain is."""

import re
import secrets
from typing import Final

import idna

DOMAIN_LENGTH: Final = 253

_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# A name of its own, so that the record disturbs nothing else of the domain.
_RECORD: Final = "_pidgr-challenge"
_VALUE: Final = "pidgr-domain-verification="
_TOKEN_BYTES: Final = 24


def normalise(domain: str) -> str | None:
    """Return a domain as name servers know it, or None for what can be none.

    Lower case, without the dot at its end, names in other scripts as ``xn--...`` (UTS 46).
    """
    text = domain.strip().removesuffix(".")
    if not text or len(text) > DOMAIN_LENGTH:
        return None
    try:
        found = idna.encode(text, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return None
    labels = found.split(".")
    fits = len(found) <= DOMAIN_LENGTH and len(labels) > 1 and not labels[-1].isdecimal()
    return found if fits and all(map(_LABEL.fullmatch, labels)) else None


def of_address(email: str) -> str | None:
    """Return the domain of an e-mail address, or None."""
    return normalise(email.rpartition("@")[2])


def new_token() -> str:
    """Return what only the holder of the domain can have put into its zone."""
    return secrets.token_urlsafe(_TOKEN_BYTES)


def record_name(domain: str) -> str:
    """Return the name of the TXT record that proves who holds a domain."""
    return f"{_RECORD}.{domain}"


def record_value(token: str) -> str:
    """Return what that record must say."""
    return _VALUE + token
