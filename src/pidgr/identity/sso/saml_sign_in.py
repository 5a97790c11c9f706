"""Signing in by SAML 2.0: the web browser profile, begun here (saml-profiles-2.0-os, 4.1).

No response is taken that nobody here has asked for. As each answers one request, and the request is
forgotten with the first answer, none counts twice in whatever process.
"""

import asyncio
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

import structlog

from pidgr.clock import Clock
from pidgr.identity.sso import saml_requests, saml_response
from pidgr.identity.sso.provider_store import StoredProvider
from pidgr.identity.sso.saml_assertion import EMAIL_ADDRESS, Person
from pidgr.identity.sso.saml_names import REDIRECT
from pidgr.identity.sso.saml_provider import SamlProvider
from pidgr.identity.sso.saml_requests import ServiceProvider
from pidgr.identity.sso.saml_response import RefusedResponseError
from pidgr.identity.sso.ways import BrokenSignInError, Question, Word

_ID_BYTES: Final = 20
_REQUEST: Final = "request"

log = structlog.get_logger("pidgr.identity")


class SamlSignIn:
    """Asks SAML providers, and reads their responses."""

    def __init__(self, issuer: str, clock: Clock) -> None:
        self._us = ServiceProvider.at(issuer)
        self._clock = clock

    def ask(
        self, provider: StoredProvider, email: str, state: str, max_age: int | None
    ) -> Question:
        """Return the request; see ``Way``. SAML has no hint of who somebody is.

        Nor has it a word for how old a sign-in may be: whoever asks for a recent one gets another.
        """
        del email
        known = _saml(provider)
        # A name in XML does not begin with a digit.
        request_id = f"_{secrets.token_hex(_ID_BYTES)}"
        request = self._us.request(
            request_id, known.sign_on_url, self._clock.now(), force=max_age is not None
        )
        remembered = {_REQUEST: request_id}
        if known.binding == REDIRECT:
            url = saml_requests.redirect_url(known.sign_on_url, request, state)
            return Question(url, remembered=remembered)
        return Question(known.sign_on_url, saml_requests.post_form(request, state), remembered)

    async def believe(
        self, provider: StoredProvider, answer: Mapping[str, str], remembered: Mapping[str, str]
    ) -> Word:
        """Return the attributes in a response; see ``Way``."""
        try:
            person = await asyncio.to_thread(
                saml_response.read,
                answer.get("SAMLResponse", ""),
                _saml(provider),
                self._us,
                remembered[_REQUEST],
                self._clock.now(),
            )
        except RefusedResponseError as error:
            log.warning("a response was refused", provider_id=provider.id, problem=str(error))
            raise BrokenSignInError("the provider's word cannot be believed") from error
        return Word(_claims(person, provider.email_attribute), person.authenticated_at)


def _claims(person: Person, email_attribute: str) -> Mapping[str, Any]:
    """Return attributes by name; the address may be the name of the person instead."""
    if email_attribute in person.attributes or person.name_format != EMAIL_ADDRESS:
        return person.attributes
    return {**person.attributes, email_attribute: person.name}


def _saml(provider: StoredProvider) -> SamlProvider:
    return SamlProvider.restored(json.loads(provider.configuration))
