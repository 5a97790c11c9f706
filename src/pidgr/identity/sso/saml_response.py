"""The response a SAML provider sends a browser back with (saml-core-2.0-os, 3.2.2, 3.3.3).

A document may hold anything beside what is signed, and wrapping attacks put it there. So there is
one assertion in it, in its place; it must be signed itself; and nothing is taken from elsewhere.
"""

import base64
from typing import Final

from lxml import etree

from pidgr.identity.sso.saml_assertion import (
    Person,
    Purpose,
    RefusedAssertionError,
    judge,
    require_issuer,
)
from pidgr.identity.sso.saml_names import ASSERTION, PROTOCOL
from pidgr.identity.sso.saml_provider import SamlProvider
from pidgr.identity.sso.saml_requests import ServiceProvider
from pidgr.identity.sso.saml_signatures import SignatureError, is_signed, signed
from pidgr.identity.sso.xml import XmlError, parse

_SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
_NAMESPACES: Final = {"samlp": PROTOCOL, "saml": ASSERTION}


class RefusedResponseError(Exception):
    """A response that is not to be believed; the sentence is for the log."""


def read(
    message: str, provider: SamlProvider, us: ServiceProvider, request_id: str, now: int
) -> Person:
    """Return what a provider says of whoever brings its response.

    Args:
        message: the response in base64.
        provider: that was asked, and must have signed it.
        us: whom it must be for.
        request_id: of the request it must answer.
        now: in microseconds.

    Raises:
        RefusedResponseError: any reason not to believe it.
    """
    try:
        response = parse(_decoded(message))
        _require_envelope(response, provider, us, request_id)
        assertion = signed(_assertion(response), provider.certificates)
        purpose = Purpose(provider.entity_id, us.entity_id, us.consumer_url, request_id)
        return judge(assertion, purpose, now)
    except (XmlError, SignatureError, RefusedAssertionError) as error:
        raise RefusedResponseError(str(error)) from error


def _decoded(message: str) -> bytes:
    try:
        # Providers break the lines of it, as MIME does.
        return base64.b64decode("".join(message.split()), validate=True)
    except ValueError as error:
        raise RefusedResponseError("it is not in base64") from error


def _require_envelope(
    response: etree._Element, provider: SamlProvider, us: ServiceProvider, request_id: str
) -> None:
    """Check what is around the assertion, which nobody need have signed.

    It keeps honest mistakes out; who is let in hangs on the assertion alone.
    """
    if response.tag != f"{{{PROTOCOL}}}Response" or response.get("Version") != "2.0":
        raise RefusedResponseError("it is not a response of SAML 2.0")
    sealed = is_signed(response)
    if sealed:
        response = signed(response, provider.certificates)
    destination = response.get("Destination")
    if destination != us.consumer_url and (sealed or destination is not None):
        raise RefusedResponseError("it was sent to somebody else")
    if response.get("InResponseTo") != request_id:
        raise RefusedResponseError("it answers another request")
    if response.find("saml:Issuer", _NAMESPACES) is not None:
        require_issuer(response, provider.entity_id)
    status = response.find("samlp:Status/samlp:StatusCode", _NAMESPACES)
    if status is None or status.get("Value") != _SUCCESS:
        raise RefusedResponseError("the provider said no")


def _assertion(response: etree._Element) -> etree._Element:
    if response.find(f".//{{{ASSERTION}}}EncryptedAssertion") is not None:
        raise RefusedResponseError("it is encrypted: set the provider to sign and not to encrypt")
    everywhere = list(response.iter(f"{{{ASSERTION}}}Assertion"))
    if len(everywhere) != 1 or everywhere[0].getparent() is not response:
        raise RefusedResponseError("there must be one assertion in it, and nothing around that")
    return everywhere[0]
