"""Responses that no provider has sent like this: changed, signed again, wrapped around others."""

import base64
import copy
from collections.abc import Callable

import xmlsec
from lxml import etree

from support.saml_provider import Identity, sign

NAMESPACES = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}

Change = Callable[[etree._Element], None]


def opened(message: str) -> etree._Element:
    return etree.fromstring(base64.b64decode(message))


def closed(response: etree._Element | bytes) -> str:
    text = response if isinstance(response, bytes) else etree.tostring(response)
    return base64.b64encode(text).decode()


def one(root: etree._Element, path: str) -> etree._Element:
    found = root.find(path, NAMESPACES)
    assert found is not None, path
    return found


def name(qualified: str) -> str:
    prefix, _, local = qualified.partition(":")
    return f"{{{NAMESPACES[prefix]}}}{local}"


def remove(element: etree._Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def changed(message: str, change: Change) -> str:
    """Return a response that was changed after it was signed."""
    response = opened(message)
    change(response)
    return closed(response)


def signed_again(message: str, change: Change, who: Identity) -> str:
    """Return a response that somebody has changed and signed then, its assertion alone."""
    response = opened(message)
    change(response)
    assertion = one(response, "saml:Assertion")
    for value in assertion.iter(name("ds:DigestValue"), name("ds:SignatureValue")):
        value.text = None
    for certificate in assertion.iter(name("ds:X509Certificate")):
        certificate.text = who.der
    sign(response, assertion, who)
    return closed(response)


def method(signature: str = "", digest: str = "") -> Change:
    """Change by which algorithms an assertion is going to be signed."""

    def change(response: etree._Element) -> None:
        if signature:
            one(response, ".//ds:SignatureMethod").set("Algorithm", signature)
        if digest:
            one(response, ".//ds:DigestMethod").set("Algorithm", digest)

    return change


def shared_secret(response: etree._Element, who: Identity) -> etree._Element:
    """Sign an assertion by a public certificate as if that were a secret of both."""
    assertion = one(response, "saml:Assertion")
    method("http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")(response)
    for value in assertion.iter(name("ds:DigestValue"), name("ds:SignatureValue")):
        value.text = None
    xmlsec.tree.add_ids(response, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_binary_data(xmlsec.constants.KeyDataHmac, who.certificate)
    context.sign(one(assertion, "ds:Signature"))
    return response


def wrapped(message: str, variant: int, mallory: str) -> str:
    """Return a response with somebody else's name around or beside what is signed.

    The eight variants of Somorovsky et al., "On Breaking SAML: Be Whoever You Want to Be" (2012);
    the first two need a signed response.
    """
    response = opened(message)
    assertion = one(response, "saml:Assertion")
    evil = copy.deepcopy(response if variant <= 2 else assertion)
    for text in evil.iter(name("saml:NameID"), name("saml:AttributeValue")):
        text.text = mallory
    evil.set("ID", "_evil")
    signature = one(evil, "ds:Signature")
    _VARIANTS[variant](response, assertion, evil, signature)
    return closed(evil if variant <= 2 else response)


_Wrap = Callable[[etree._Element, etree._Element, etree._Element, etree._Element], None]


def _response_in_signature(
    response: etree._Element,
    _assertion: etree._Element,
    _evil: etree._Element,
    signature: etree._Element,
) -> None:
    remove(one(response, "ds:Signature"))
    signature.append(response)


def _response_before_signature(
    response: etree._Element,
    _assertion: etree._Element,
    _evil: etree._Element,
    signature: etree._Element,
) -> None:
    remove(one(response, "ds:Signature"))
    signature.addprevious(response)


def _evil_before(
    _response: etree._Element,
    assertion: etree._Element,
    evil: etree._Element,
    signature: etree._Element,
) -> None:
    remove(signature)
    assertion.addprevious(evil)


def _evil_around(
    response: etree._Element,
    assertion: etree._Element,
    evil: etree._Element,
    signature: etree._Element,
) -> None:
    remove(signature)
    response.replace(assertion, evil)
    evil.append(assertion)


def _signature_stays_with_evil(
    response: etree._Element,
    assertion: etree._Element,
    evil: etree._Element,
    _signature: etree._Element,
) -> None:
    remove(one(assertion, "ds:Signature"))
    response.replace(assertion, evil)
    response.append(assertion)


def _original_in_signature(
    response: etree._Element,
    assertion: etree._Element,
    evil: etree._Element,
    signature: etree._Element,
) -> None:
    remove(one(assertion, "ds:Signature"))
    response.replace(assertion, evil)
    signature.append(assertion)


def _original_in_extensions(
    response: etree._Element,
    assertion: etree._Element,
    evil: etree._Element,
    signature: etree._Element,
) -> None:
    remove(signature)
    extensions = etree.Element(name("samlp:Extensions"))
    assertion.addprevious(extensions)
    response.append(evil)
    extensions.append(assertion)


def _original_in_object(
    response: etree._Element,
    assertion: etree._Element,
    evil: etree._Element,
    signature: etree._Element,
) -> None:
    remove(one(assertion, "ds:Signature"))
    response.replace(assertion, evil)
    etree.SubElement(signature, name("ds:Object")).append(assertion)


_VARIANTS: dict[int, _Wrap] = {
    1: _response_in_signature,
    2: _response_before_signature,
    3: _evil_before,
    4: _evil_around,
    5: _signature_stays_with_evil,
    6: _original_in_signature,
    7: _original_in_extensions,
    8: _original_in_object,
}
