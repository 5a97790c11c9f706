"""What this server says as a SAML 2.0 service provider: its metadata, and who is asked for."""

import base64
import zlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from lxml import etree

from pidgr.clock import to_datetime
from pidgr.identity.sso.saml_names import (
    ASSERTION,
    CONSUMER_PATH,
    METADATA,
    METADATA_PATH,
    POST,
    PROTOCOL,
)

_RAW_DEFLATE: Final = -15


@dataclass(frozen=True, slots=True)
class ServiceProvider:
    """This server as providers know it; the same to all of them."""

    entity_id: str
    consumer_url: str

    @classmethod
    def at(cls, issuer: str) -> "ServiceProvider":
        """Return the service provider of a server with an address."""
        base = issuer.rstrip("/")
        return cls(base + METADATA_PATH, base + CONSUMER_PATH)

    def metadata(self) -> bytes:
        """Return the document a provider is set up with.

        It promises no signed requests: there is nothing in one that somebody else may not say. A
        provider answers to the address it knows from here, and an answer counts only in the browser
        that was sent for it.
        """
        name = {"entityID": self.entity_id}
        entity = etree.Element(f"{{{METADATA}}}EntityDescriptor", name, {"md": METADATA})
        descriptor = etree.SubElement(
            entity,
            f"{{{METADATA}}}SPSSODescriptor",
            {
                "AuthnRequestsSigned": "false",
                "WantAssertionsSigned": "true",
                "protocolSupportEnumeration": PROTOCOL,
            },
        )
        etree.SubElement(
            descriptor,
            f"{{{METADATA}}}AssertionConsumerService",
            {"Binding": POST, "Location": self.consumer_url, "index": "0", "isDefault": "true"},
        )
        return etree.tostring(entity, xml_declaration=True, encoding="UTF-8")

    def request(self, request_id: str, destination: str, now: int, *, force: bool = False) -> bytes:
        """Return an ``AuthnRequest``, by ``force`` one that an earlier sign-in is no answer to.

        It asks for no kind of name: what a provider is set up to call people is the best it has,
        and some refuse every other one.
        """
        issued = to_datetime(now).isoformat(timespec="seconds").replace("+00:00", "Z")
        request = etree.Element(
            f"{{{PROTOCOL}}}AuthnRequest",
            {
                "ID": request_id,
                "Version": "2.0",
                "IssueInstant": issued,
                "Destination": destination,
                "ProtocolBinding": POST,
                "AssertionConsumerServiceURL": self.consumer_url,
            },
            {"samlp": PROTOCOL, "saml": ASSERTION},
        )
        if force:
            request.set("ForceAuthn", "true")
        etree.SubElement(request, f"{{{ASSERTION}}}Issuer").text = self.entity_id
        return etree.tostring(request)


def redirect_url(location: str, request: bytes, state: str) -> str:
    """Return where a browser goes with a request (SAML 2.0 bindings, 3.4.4.1)."""
    deflater = zlib.compressobj(wbits=_RAW_DEFLATE)
    message = base64.b64encode(deflater.compress(request) + deflater.flush()).decode()
    glue = "&" if "?" in location else "?"
    return f"{location}{glue}{urlencode({'SAMLRequest': message, 'RelayState': state})}"


def post_form(request: bytes, state: str) -> dict[str, str]:
    """Return what a browser posts there instead (SAML 2.0 bindings, 3.5.4)."""
    return {"SAMLRequest": base64.b64encode(request).decode(), "RelayState": state}
