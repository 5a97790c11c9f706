"""What the metadata of a SAML 2.0 identity provider tells (OASIS saml-metadata-2.0-os)."""

import base64
import binascii
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree

from pidgr.identity.sso.saml_names import METADATA, POST, PROTOCOL, REDIRECT, SIGNATURE
from pidgr.identity.sso.saml_provider import MetadataError, SamlProvider
from pidgr.identity.sso.xml import XmlError, parse, text_of, time_of

_NAMESPACES: Final = {"md": METADATA, "ds": SIGNATURE}
_LONGEST_ENTITY_ID: Final = 1_024
_SMALLEST_RSA_KEY: Final = 2_048
_MOST_CERTIFICATES: Final = 10


def read(document: bytes, now: int) -> SamlProvider:
    """Return what a metadata document says.

    Raises:
        MetadataError: it is not the metadata of exactly one provider we can work with.
    """
    try:
        entity = _provider_entity(parse(document))
        _require_valid(entity, now)
        descriptor = _descriptors(entity)[0]
        _require_valid(descriptor, now)
        entity_id = entity.get("entityID", "")
        if not 0 < len(entity_id) <= _LONGEST_ENTITY_ID:
            raise MetadataError("its entityID is missing or too long")
        binding, sign_on_url = _sign_on(descriptor)
        return SamlProvider(entity_id, sign_on_url, binding, tuple(_certificates(descriptor)))
    except XmlError as error:
        raise MetadataError(str(error)) from error


def _provider_entity(root: etree._Element) -> etree._Element:
    entities = [
        entity for entity in root.iter(f"{{{METADATA}}}EntityDescriptor") if _descriptors(entity)
    ]
    if len(entities) != 1:
        message = "it must describe one SAML 2.0 identity provider (IDPSSODescriptor)"
        raise MetadataError(f"{message}, and describes {len(entities)}")
    return entities[0]


def _descriptors(entity: etree._Element) -> list[etree._Element]:
    return [
        found
        for found in entity.findall("md:IDPSSODescriptor", _NAMESPACES)
        if PROTOCOL in found.get("protocolSupportEnumeration", "").split()
    ]


def _require_valid(element: etree._Element, now: int) -> None:
    until = element.get("validUntil")
    if until is None:
        return
    try:
        ended = time_of(until) <= now
    except XmlError as error:
        raise MetadataError("its validUntil is not a time") from error
    if ended:
        raise MetadataError("it is out of date (validUntil)")


def _sign_on(descriptor: etree._Element) -> tuple[str, str]:
    found = {
        service.get("Binding", ""): service.get("Location", "")
        for service in descriptor.findall("md:SingleSignOnService", _NAMESPACES)
    }
    for binding in (REDIRECT, POST):
        if found.get(binding):
            return binding, found[binding]
    raise MetadataError("it has no SingleSignOnService with HTTP-Redirect or HTTP-POST")


def _certificates(descriptor: etree._Element) -> Iterator[str]:
    elements = [
        certificate
        for key in descriptor.findall("md:KeyDescriptor", _NAMESPACES)
        if key.get("use", "signing") == "signing"
        for certificate in key.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _NAMESPACES)
    ]
    if not 0 < len(elements) <= _MOST_CERTIFICATES:
        message = f"it must have 1 to {_MOST_CERTIFICATES} certificates for signatures"
        raise MetadataError(f"{message}, has {len(elements)}")
    for element in elements:
        yield _checked("".join(text_of(element).split()))


def _checked(certificate: str) -> str:
    """Return a certificate if its key is strong enough.

    Its dates do not count: metadata vouches for the key, the certificate only carries it (OASIS
    SAML V2.0 Metadata Interoperability Profile, 2.6.1).
    """
    try:
        key = x509.load_der_x509_certificate(
            base64.b64decode(certificate, validate=True)
        ).public_key()
    except (binascii.Error, ValueError) as error:
        raise MetadataError("one of its certificates cannot be read") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA_KEY:
        return certificate
    if isinstance(key, ec.EllipticCurvePublicKey):
        return certificate
    raise MetadataError(f"its keys must be RSA of {_SMALLEST_RSA_KEY:,} bits or more, or EC")
