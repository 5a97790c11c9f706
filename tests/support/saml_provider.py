"""A SAML identity provider: pysaml2, with its signatures made by libxmlsec1."""

import base64
import datetime as dt
import functools
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.config import IdPConfig
from saml2.metadata import entity_descriptor
from saml2.saml import NAMEID_FORMAT_EMAILADDRESS, NAMEID_FORMAT_PERSISTENT, NameID
from saml2.server import Server
from saml2.sigver import CryptoBackend

MAIL = "urn:oid:0.9.2342.19200300.100.1.3"
GIVEN_NAME = "urn:oid:2.5.4.42"
FAMILY_NAME = "urn:oid:2.5.4.4"
PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"


class Identity:
    """A key and its certificate, in PEM and in DER."""

    def __init__(self, kind: str = "rsa", *, expired: bool = False) -> None:
        key: Any = (
            rsa.generate_private_key(65_537, 2_048)
            if kind == "rsa"
            else ec.generate_private_key(ec.SECP256R1())
        )
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example.com")])
        begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + dt.timedelta(days=1 if expired else 36_500))
            .sign(key, hashes.SHA256())
        )
        self.key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.certificate = built.public_bytes(Encoding.PEM)
        self.der = base64.b64encode(built.public_bytes(Encoding.DER)).decode()


@functools.cache
def identity(name: str) -> Identity:
    """Return the identity of a name, the same each time: making one takes a moment."""
    return Identity("ec" if name == "ec" else "rsa", expired=name == "expired")


def sign(document: etree._Element, node: etree._Element, who: Identity) -> None:
    """Fill in the signature template in a node."""
    xmlsec.tree.add_ids(document, ["ID"])
    template = xmlsec.tree.find_child(node, xmlsec.constants.NodeSignature)
    assert template is not None
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(who.key, xmlsec.constants.KeyDataFormatPem)
    context.sign(template)


class LibXmlSec(CryptoBackend):  # type: ignore[misc] # pysaml2 has no types
    """What pysaml2 does by the program ``xmlsec1``, by the library of that program."""

    def sign_statement(self, statement: object, node_name: str, key_file: str, node_id: str) -> str:
        text = statement if isinstance(statement, bytes) else str(statement).encode()
        document = etree.fromstring(text)
        kind = etree.QName(*node_name.rsplit(":", 1)).text
        (node,) = [one for one in document.iter(kind) if one.get("ID") == node_id]
        sign(document, node, _Stored(Path(key_file)))
        return etree.tostring(document, encoding="unicode")


class _Stored(Identity):
    def __init__(self, path: Path) -> None:
        self.key = path.read_bytes()


class SamlProvider:
    """The provider.

    Args:
        directory: of its key.
        service_provider: our metadata.
        who: whose key it signs with.
        entity_id: what it is called.
        posted: where it takes requests that are posted, instead of redirected ones.
    """

    def __init__(
        self,
        directory: Path,
        service_provider: str,
        who: Identity | None = None,
        entity_id: str = "",
        posted: str = "",
    ) -> None:
        who = who or identity("provider")
        self.entity_id = entity_id or f"https://idp.example/{secrets.token_hex(4)}"
        self.sign_on_url = posted or "https://idp.example/sso?tenant=1"
        binding = BINDING_HTTP_POST if posted else BINDING_HTTP_REDIRECT
        key, certificate = directory / "idp.key", directory / "idp.pem"
        key.write_bytes(who.key)
        certificate.write_bytes(who.certificate)
        self._config = IdPConfig().load(
            {
                "entityid": self.entity_id,
                "key_file": str(key),
                "cert_file": str(certificate),
                "crypto_backend": "XMLSecurity",
                "metadata": {"inline": [service_provider]},
                "service": {
                    "idp": {
                        "endpoints": {"single_sign_on_service": [(self.sign_on_url, binding)]},
                        "policy": {"default": {"lifetime": {"minutes": 5}}},
                    }
                },
            }
        )
        self._server = Server(config=self._config)
        self._server.sec.crypto = LibXmlSec()
        self.forced = False
        """Whether whoever came last had to sign in anew."""
        self.signed_in_at = 0
        """When people have signed in, in seconds; 0 for the moment they come by."""

    def metadata(self) -> str:
        return str(entity_descriptor(self._config))

    def visit(
        self, url: str, attributes: Mapping[str, Any], name: str = "", **options: Any
    ) -> dict[str, str]:
        """Sign somebody in who comes by a URL; return the form to send them back with."""
        assert url.startswith(f"{self.sign_on_url}&")
        query = dict(parse_qsl(urlsplit(url).query))
        return self._answer(query, BINDING_HTTP_REDIRECT, attributes, name, options)

    def take(self, body: bytes, attributes: Mapping[str, Any]) -> dict[str, str]:
        """Sign somebody in whose browser posts a form; return the one to send them back with."""
        form = dict(parse_qsl(body.decode()))
        return self._answer(form, BINDING_HTTP_POST, attributes, "", {})

    def _answer(
        self,
        given: Mapping[str, str],
        binding: str,
        attributes: Mapping[str, Any],
        name: str,
        options: Mapping[str, Any],
    ) -> dict[str, str]:
        asked = self._server.parse_authn_request(given["SAMLRequest"], binding).message
        self.forced = asked.force_authn == "true"
        response = self._server.create_authn_response(
            dict(attributes),
            sp_entity_id=asked.issuer.text,
            destination=asked.assertion_consumer_service_url,
            in_response_to=asked.id,
            name_id=NameID(
                format=NAMEID_FORMAT_EMAILADDRESS if name else NAMEID_FORMAT_PERSISTENT,
                text=name or secrets.token_hex(8),
            ),
            **{
                "authn": {"class_ref": PASSWORD, "authn_instant": self.signed_in_at},
                "sign_assertion": True,
                "sign_response": False,
                "sign_alg": RSA_SHA256,
                "digest_alg": SHA256,
                **options,
            },
        )
        message = base64.b64encode(str(response).encode()).decode()
        return {"SAMLResponse": message, "RelayState": given["RelayState"]}
