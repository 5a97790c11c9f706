"""What identity providers are called, and what they call the attributes of a person.

The defaults of each product's own documentation; whoever has changed them there names them when
they connect the provider.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pidgr.contract.v1.sso_pb import SSOProviderType


@dataclass(frozen=True, slots=True)
class AttributeNames:
    """What a provider calls the e-mail address, the first and the last name."""

    email: str
    given_name: str
    family_name: str


_OPENID: Final = AttributeNames("email", "given_name", "family_name")
_PLAIN: Final = AttributeNames("email", "firstName", "lastName")
_CLAIMS: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
_WS: Final = AttributeNames(f"{_CLAIMS}emailaddress", f"{_CLAIMS}givenname", f"{_CLAIMS}surname")
# RFC 2798 and RFC 4519 in the form that SAML attribute profiles give them.
_X500: Final = AttributeNames("urn:oid:1.2.840.113549.1.9.1", "urn:oid:2.5.4.42", "urn:oid:2.5.4.4")

_BY_HOST: Final[dict[str, tuple[str, AttributeNames]]] = {
    "okta.com": ("Okta", _PLAIN),
    "oktapreview.com": ("Okta", _PLAIN),
    "okta-emea.com": ("Okta", _PLAIN),
    "login.microsoftonline.com": ("Microsoft Entra ID", _WS),
    "login.microsoftonline.us": ("Microsoft Entra ID", _WS),
    "login.partner.microsoftonline.cn": ("Microsoft Entra ID", _WS),
    "accounts.google.com": ("Google", _PLAIN),
    "auth0.com": ("Auth0", _WS),
    "onelogin.com": (
        "OneLogin",
        AttributeNames("User.email", "User.FirstName", "User.LastName"),
    ),
    "jumpcloud.com": ("JumpCloud", AttributeNames("email", "firstname", "lastname")),
}
_KEYCLOAK_PATH: Final = "/realms/"


def detect(metadata_url: str, type_: SSOProviderType) -> tuple[str, AttributeNames]:
    """Return a provider's name, its host where it is none we know, and its attributes' names."""
    parts = urlsplit(metadata_url)
    host = parts.hostname or ""
    if _KEYCLOAK_PATH in parts.path:
        name, attributes = "Keycloak", _X500
    else:
        labels = host.split(".")
        suffixes = (".".join(labels[start:]) for start in range(len(labels)))
        known = next((_BY_HOST[suffix] for suffix in suffixes if suffix in _BY_HOST), None)
        name, attributes = known or (host, _PLAIN)
    return name, _OPENID if type_ == SSOProviderType.OIDC else attributes
