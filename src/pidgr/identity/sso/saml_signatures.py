"""Checking XML signatures as SAML 2.0 core, 5.4, restricts them, and no others.

A signature is a child of what it signs, signs exactly that, and is made with a key of the
provider's metadata; what it says about keys itself is not looked at. Nobody may go on with the
document that was signed: what counts are the bytes the signature covers.
"""

import base64
from collections.abc import Iterable
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from pidgr.identity.sso.saml_names import SIGNATURE
from pidgr.identity.sso.xml import XmlError, parse, parser

_METHODS: Final = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
_DIGESTS: Final = frozenset(
    {DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}
)
_ENVELOPED: Final = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
_EXCLUSIVE: Final = "http://www.w3.org/2001/10/xml-exc-c14n#"
_NAMESPACES: Final = {"ds": SIGNATURE}


class SignatureError(Exception):
    """What is not signed as it has to be; the sentence is for the log."""


def is_signed(element: etree._Element) -> bool:
    """Tell whether an element has a signature of its own, right or wrong."""
    return element.find("ds:Signature", _NAMESPACES) is not None


def signed(element: etree._Element, certificates: Iterable[str]) -> etree._Element:
    """Return an element as its signature covers it.

    Args:
        element: with a signature of its own.
        certificates: of which one must have made it, DER in base64.

    Raises:
        SignatureError: it is not signed, not in the way SAML demands, or by somebody else.
    """
    _require_form(element)
    for certificate in certificates:
        covered = _verified(element, certificate)
        if covered is not None:
            break
    else:
        raise SignatureError("the signature is not the provider's")
    try:
        found = parse(covered)
    except XmlError as error:
        raise SignatureError("what is signed is not a document") from error
    if found.tag != element.tag or found.get("ID") != element.get("ID"):
        raise SignatureError("something else is signed")
    return found


def _require_form(element: etree._Element) -> None:
    """Demand the one form there may be, before any of it is followed."""
    signatures = element.findall("ds:Signature", _NAMESPACES)
    if len(signatures) != 1:
        raise SignatureError(f"it has {len(signatures)} signatures, and must have one")
    references = signatures[0].findall("ds:SignedInfo/ds:Reference", _NAMESPACES)
    own = element.get("ID")
    if not own or [one.get("URI") for one in references] != [f"#{own}"]:
        raise SignatureError("the signature refers to something else")
    canonical = signatures[0].find("ds:SignedInfo/ds:CanonicalizationMethod", _NAMESPACES)
    if canonical is None or canonical.get("Algorithm") != _EXCLUSIVE:
        raise SignatureError("it is not canonical in the way SAML demands")
    transforms = references[0].findall("ds:Transforms/ds:Transform", _NAMESPACES)
    if [one.get("Algorithm") for one in transforms] != [_ENVELOPED, _EXCLUSIVE]:
        raise SignatureError("it is transformed in ways SAML does not know")


def _verified(element: etree._Element, certificate: str) -> bytes | None:
    """Return the bytes that a signature with the key of a certificate covers."""
    pinned = x509.load_der_x509_certificate(base64.b64decode(certificate))
    wanted = SignatureConfiguration(
        location="./",
        expect_references=1,
        signature_methods=_METHODS,
        digest_algorithms=_DIGESTS,
        ignore_ambiguous_key_info=True,
        # Metadata vouches for the key, whatever dates the certificate has (see saml_metadata).
        verification_time=pinned.not_valid_before_utc,
    )
    try:
        result = XMLVerifier().verify(
            element, x509_cert=pinned, expect_config=wanted, id_attribute="ID", parser=parser()
        )
    except (
        SignXMLException,
        InvalidSignature,
        UnsupportedAlgorithm,
        etree.LxmlError,
        ValueError,
        TypeError,
        LookupError,
    ):
        return None
    if isinstance(result, list):
        return None
    return result.signed_data
