"""Documents that identity providers publish, served by a small HTTP server."""

import base64
import datetime as dt
import functools
import json
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc.jwk import RSAKey

from support.http_peer import HttpPeer, Received, Scripted

REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
OPENID_PATH = "/.well-known/openid-configuration"
SAML_PATH = "/saml/metadata"


@functools.cache
def certificate(kind: str = "rsa") -> str:
    """Return a certificate's DER in base64; of the kinds ``rsa``, ``small`` and ``ec``."""
    key: Any
    if kind == "ec":
        key = ec.generate_private_key(ec.SECP256R1())
    else:
        key = rsa.generate_private_key(65_537, 2_048 if kind == "rsa" else 1_024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp.example.com")])
    begin = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=3_650))
        .sign(key, hashes.SHA256())
    )
    return base64.b64encode(built.public_bytes(Encoding.DER)).decode()


@functools.cache
def _public_key() -> dict[str, Any]:
    return dict(RSAKey.generate_key(2_048, {"kid": "one", "use": "sig"}).as_dict(private=False))


class Documents:
    """What a provider of either kind publishes, on a peer; tests change it before it is read."""

    def __init__(self, peer: HttpPeer) -> None:
        base = peer.url(path="")
        self.openid: dict[str, Any] = {
            "issuer": base,
            "authorization_endpoint": f"{base}/auth",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/jwks",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
        }
        self.keys: Any = {"keys": [_public_key()]}
        self.saml = saml_metadata(f"{base}/saml", f"{base}/saml/sso")
        self.openid_url = base + OPENID_PATH
        self.saml_url = base + SAML_PATH
        peer.answer = self._answer

    def _answer(self, request: Received) -> Scripted:
        bodies = {
            OPENID_PATH: lambda: json.dumps(self.openid),
            "/jwks": lambda: json.dumps(self.keys),
            SAML_PATH: lambda: self.saml,
        }
        if request.path not in bodies:
            return Scripted(404)
        return Scripted(200, {}, bodies[request.path]().encode())


def saml_metadata(
    entity_id: str,
    location: str,
    *,
    binding: str = REDIRECT,
    kind: str = "rsa",
    attributes: str = "",
    entities: int = 1,
) -> str:
    """Return a metadata document."""
    key = (
        '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>'
        f"{certificate(kind) if kind in {'rsa', 'small', 'ec'} else kind}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
    )
    entity = (
        f'<md:EntityDescriptor entityID="{entity_id}" {attributes}>'
        '<md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        f"{key if kind else ''}"
        f'<md:SingleSignOnService Binding="{binding}" Location="{location}"/>'
        "</md:IDPSSODescriptor></md:EntityDescriptor>"
    )
    return (
        '<?xml version="1.0"?><md:EntitiesDescriptor '
        'xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" '
        'xmlns:ds="http://www.w3.org/2000/09/xmldsig#">'
        f"{entity * entities}</md:EntitiesDescriptor>"
    )
