"""Names of the SAML 2.0 standards, and where this server is found by providers."""

from typing import Final

ASSERTION: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
METADATA: Final = "urn:oasis:names:tc:SAML:2.0:metadata"
PROTOCOL: Final = "urn:oasis:names:tc:SAML:2.0:protocol"
SIGNATURE: Final = "http://www.w3.org/2000/09/xmldsig#"
REDIRECT: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
POST: Final = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"

METADATA_PATH: Final = "/auth/sso/saml/metadata"
CONSUMER_PATH: Final = "/auth/sso/saml/acs"
