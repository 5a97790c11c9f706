"""SAML 2.0 as the rest of the server sees it.

What reads and writes its documents is loaded by whoever needs it first: the XML libraries take 5 MB
and most installations have no SAML provider.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Final

from pidgr.clock import Clock
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.identity.sso.saml_provider import SamlProvider
from pidgr.identity.sso.ways import Question, Way, Word

LARGEST_RESPONSE: Final = 256 * 1024
"""In base64, in bytes."""


class Saml:
    """Signing in by SAML; the work is done by ``SamlSignIn``."""

    def __init__(self, issuer: str, clock: Clock) -> None:
        self._issuer = issuer
        self._clock = clock

    @cached_property
    def _sign_in(self) -> Way:
        from pidgr.identity.sso.saml_sign_in import SamlSignIn  # noqa: PLC0415 - see the module

        return SamlSignIn(self._issuer, self._clock)

    def ask(
        self, provider: StoredProvider, email: str, state: str, max_age: int | None
    ) -> Question:
        """Return the request; see ``Way``."""
        return self._sign_in.ask(provider, email, state, max_age)

    async def believe(
        self, provider: StoredProvider, answer: Mapping[str, str], remembered: Mapping[str, str]
    ) -> Word:
        """Return the attributes in a response; see ``Way``."""
        return await self._sign_in.believe(provider, answer, remembered)


def own_metadata(issuer: str) -> bytes:
    """Return the document a provider is set up with."""
    from pidgr.identity.sso.saml_requests import ServiceProvider  # noqa: PLC0415 - see the module

    return ServiceProvider.at(issuer).metadata()


def read_metadata(document: bytes, now: int) -> SamlProvider:
    """Return what the metadata document of a provider says.

    Raises:
        MetadataError: it is not the metadata of exactly one provider we can work with.
    """
    from pidgr.identity.sso import saml_metadata  # noqa: PLC0415 - see the module

    return saml_metadata.read(document, now)
