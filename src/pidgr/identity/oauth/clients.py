"""Applications (OAuth clients) and the addresses they may be answered at.

All are public clients: what proves that a code reached the application that asked for it is PKCE.
An address must be the registered one to the letter; only the port of a loopback address is free,
because a program on the person's machine gets whichever is (RFC 8252 7.3).
"""

import re
from dataclasses import dataclass
from typing import Final

from pidgr.errors import Violations
from pidgr.identity.oauth import scopes

LONGEST_REDIRECT_URI: Final = 2_000
_LONGEST_NAME: Final = 100

# One grammar for what may be registered and what may be asked for: no fragment, no user, no space,
# no backslash that a browser would take for a slash.
_PATH: Final = r"(?:/[!$-;=?-\[\]_a-z~]*)?"
_LOOPBACK: Final = re.compile(
    rf"(?P<host>http://(?:127\.0\.0\.1|\[::1\]|localhost))(?P<port>:\d{{1,5}})?(?P<path>{_PATH})"
)
_HTTPS: Final = re.compile(rf"https://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::\d{{1,5}})?{_PATH}")
# A name of one's own turned around (RFC 8252 7.1), so that apps do not meet in one scheme.
_PRIVATE: Final = re.compile(rf"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:{_PATH}")


@dataclass(frozen=True, slots=True)
class Client:
    """An application somebody has registered."""

    id: str
    name: str
    redirect_uris: tuple[str, ...]
    scopes: frozenset[str]
    """What it may ask for, and gets when it asks for nothing in particular."""

    def accepts(self, redirect_uri: str) -> bool:
        """Tell whether answers may go to an address."""
        return any(_same(registered, redirect_uri) for registered in self.redirect_uris)


PIDGR_MCP: Final = Client(
    id="pidgr-mcp",
    name="Pidgr MCP",
    redirect_uris=("http://127.0.0.1/callback", "http://[::1]/callback"),
    scopes=frozenset(scopes.SCOPES),
)
"""The published agent (SEMANTICS 6.3); every installation knows it."""


def is_assured(redirect_uri: str) -> bool:
    """Tell whether an address by itself says which application it leads to (RFC 8252 8.6).

    Any program can listen on a loopback port or claim a scheme of its own; a TLS certificate is
    one name's.
    """
    return redirect_uri.startswith("https://")


def check(name: str, redirect_uris: tuple[str, ...], wanted: frozenset[str]) -> None:
    """Check an application before it is registered.

    Raises:
        InvalidArgumentError: naming everything that is wrong.
    """
    violations = Violations()
    if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        violations.add("name", f"must be 1 to {_LONGEST_NAME} characters in one line")
    if not redirect_uris:
        violations.add("redirect-uri", "give at least one")
    for uri in redirect_uris:
        if len(uri) > LONGEST_REDIRECT_URI or not _registrable(uri):
            violations.add(
                "redirect-uri",
                f"{uri[:200]}: must be https://..., http://127.0.0.1/... or a scheme of your own "
                "with a dot, such as com.example.app:/callback; no fragment",
            )
    unknown = sorted(wanted - scopes.SCOPES.keys())
    if unknown or not wanted:
        known = ", ".join(scopes.SCOPES)
        violations.add("scope", f"{', '.join(unknown) or 'none'}: the scopes are {known}")
    violations.raise_if_any()


def _registrable(uri: str) -> bool:
    return any(shape.fullmatch(uri) for shape in (_LOOPBACK, _HTTPS, _PRIVATE))


def _same(registered: str, asked: str) -> bool:
    if registered == asked:
        return True
    ours, theirs = _LOOPBACK.fullmatch(registered), _LOOPBACK.fullmatch(asked)
    return (
        ours is not None
        and theirs is not None
        and (ours["host"], ours["path"]) == (theirs["host"], theirs["path"])
    )
