"""Whose word a SAML response is, and whether it is for us and for now: no server, no database."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree
from support.saml_forgery import (
    Change,
    changed,
    closed,
    method,
    name,
    one,
    opened,
    remove,
    shared_secret,
    signed_again,
    wrapped,
)
from support.saml_provider import MAIL, SamlProvider, identity

from pidgr.clock import SECOND
from pidgr.identity.sso import saml_metadata, saml_provider, saml_requests
from pidgr.identity.sso.saml_assertion import EMAIL_ADDRESS, SKEW, Person
from pidgr.identity.sso.saml_requests import ServiceProvider
from pidgr.identity.sso.saml_response import RefusedResponseError, read
from pidgr.identity.sso.xml import time_of

US = ServiceProvider.at("https://pidgr.example/")
REQUEST = "_request"
ADA, MALLORY = "ada@corp.example", "mallory@evil.example"
XSD_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Peer:
    """A provider, and what it answers."""

    def __init__(self, provider: SamlProvider) -> None:
        self.now = time.time_ns() // 1_000
        self.provider = provider
        self.known = saml_metadata.read(provider.metadata().encode(), self.now)

    def message(self, **options: object) -> str:
        request = US.request(REQUEST, self.known.sign_on_url, self.now)
        url = saml_requests.redirect_url(self.known.sign_on_url, request, "state")
        attributes = {"mail": [ADA], "givenName": ["Ada"], "ou": ["Ward 7", "Ward 8"]}
        return self.provider.visit(url, attributes, ADA, **options)["SAMLResponse"]

    def with_certificates(self, *certificates: str) -> saml_provider.SamlProvider:
        return dataclasses.replace(self.known, certificates=certificates)

    def read(self, message: str, now: int = 0) -> Person:
        return read(message, self.known, US, REQUEST, now or self.now)

    def refused(self, message: str, now: int = 0) -> str:
        with pytest.raises(RefusedResponseError) as raised:
            self.read(message, now)
        return str(raised.value)


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    directory = tmp_path_factory.mktemp("provider")
    return Peer(SamlProvider(directory, US.metadata().decode()))


@pytest.fixture(scope="module")
def message(peer: Peer) -> str:
    return peer.message()


@pytest.mark.parametrize("who", ["provider", "expired"])
@pytest.mark.parametrize("sign_response", [False, True], ids=["assertion", "both"])
def test_what_a_provider_has_signed_is_believed(
    who: str, sign_response: bool, tmp_path: Path
) -> None:
    peer = Peer(SamlProvider(tmp_path, US.metadata().decode(), identity(who)))
    found = peer.read(peer.message(sign_response=sign_response))
    assert (found.name, found.name_format) == (ADA, EMAIL_ADDRESS)
    assert found.attributes[MAIL] == ADA
    assert found.attributes["urn:oid:2.5.4.11"] == ["Ward 7", "Ward 8"]


@pytest.mark.parametrize(
    ("who", "signature", "digest"),
    [
        ("provider", "2001/04/xmldsig-more#rsa-sha384", "2001/04/xmldsig-more#sha384"),
        ("provider", "2001/04/xmldsig-more#rsa-sha512", "2001/04/xmlenc#sha512"),
        ("provider", "2007/05/xmldsig-more#sha256-rsa-MGF1", "2001/04/xmlenc#sha256"),
        ("ec", "2001/04/xmldsig-more#ecdsa-sha256", "2001/04/xmlenc#sha256"),
    ],
)
def test_strong_algorithms_count(
    peer: Peer, message: str, who: str, signature: str, digest: str
) -> None:
    base = "http://www.w3.org/"
    known = peer.with_certificates(identity(who).der)
    again = signed_again(message, method(base + signature, base + digest), identity(who))
    assert read(again, known, US, REQUEST, peer.now).name == ADA


def test_any_of_the_provider_s_certificates_counts_while_it_changes_them(
    peer: Peer, message: str
) -> None:
    known = peer.with_certificates(
        identity("next").der, identity("ec").der, *peer.known.certificates
    )
    assert read(message, known, US, REQUEST, peer.now).name == ADA


def at(path: str, **attributes: str | None) -> Change:
    """Change attributes of an element; None takes one away."""

    def change(response: etree._Element) -> None:
        element = one(response, path)
        for key, value in attributes.items():
            if value is None:
                del element.attrib[key]
            else:
                element.set(key, value)

    return change


def text(path: str, value: str) -> Change:
    def change(response: etree._Element) -> None:
        one(response, path).text = value

    return change


def without(path: str) -> Change:
    return lambda response: remove(one(response, path))


def doubled(path: str) -> Change:
    def change(response: etree._Element) -> None:
        element = one(response, path)
        element.addnext(etree.fromstring(etree.tostring(element)))

    return change


def with_child(path: str, child: str, content: str = "") -> Change:
    def change(response: etree._Element) -> None:
        etree.SubElement(one(response, path), name(child)).text = content

    return change


def with_other_audience_too(response: etree._Element) -> None:
    restriction = one(response, ".//saml:AudienceRestriction")
    other = etree.fromstring(etree.tostring(restriction))
    one(other, "saml:Audience").text = "https://other.example"
    restriction.addnext(other)


def formatted(moment: float) -> str:
    return time.strftime(XSD_TIME, time.gmtime(moment))


PAST, FUTURE = formatted(time.time() - 120), formatted(time.time() + 3_600)
DATA = ".//saml:SubjectConfirmationData"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (text(".//saml:Audience", "https://other.example"), "for another audience"),
        (text(".//saml:Audience", US.consumer_url), "for another audience"),
        (with_other_audience_too, "for another audience"),
        (without(".//saml:AudienceRestriction"), "for no audience"),
        (with_child(".//saml:Conditions", "saml:Condition"), "a condition that is not known"),
        (without(".//saml:Conditions"), "0 times Conditions"),
        (at(".//saml:Conditions", NotOnOrAfter=PAST), "no longer good"),
        (at(".//saml:Conditions", NotBefore=FUTURE), "not yet good"),
        (at(".//saml:Conditions", NotBefore="soon"), "a time is none"),
        (at(DATA, NotOnOrAfter=PAST), "no longer good"),
        (at(DATA, NotBefore=FUTURE), "not yet good"),
        (at(DATA, NotOnOrAfter=None), "how long"),
        (at(DATA, Recipient="https://other.example"), "another recipient"),
        (at(DATA, Recipient=None), "another recipient"),
        (at(DATA, InResponseTo="_another"), "another request"),
        (at(DATA, InResponseTo=None), "another request"),
        (without(DATA), "nobody who bears it"),
        (
            at(
                ".//saml:SubjectConfirmation",
                Method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
            ),
            "nobody who bears it",
        ),
        (without(".//saml:Subject"), "0 times Subject"),
        (doubled(".//saml:Subject"), "2 times Subject"),
        (without(".//saml:AuthnStatement"), "nobody has signed in"),
        (at(".//saml:AuthnStatement", SessionNotOnOrAfter=PAST), "is over"),
        (text("saml:Assertion/saml:Issuer", "https://other.example"), "another provider's"),
        (at("saml:Assertion", Version="1.1"), "not of SAML 2.0"),
        (with_child(".//saml:NameID", "saml:Evil"), "more than text"),
        (at(".", Version="1.1"), "not a response"),
        (at(".", Destination="https://other.example"), "sent to somebody else"),
        (at(".", InResponseTo="_another"), "another request"),
        (at(".", InResponseTo=None), "another request"),
        (text("saml:Issuer", "https://other.example"), "another provider's"),
        (
            at(
                "samlp:Status/samlp:StatusCode",
                Value="urn:oasis:names:tc:SAML:2.0:status:Responder",
            ),
            "said no",
        ),
        (without("samlp:Status"), "said no"),
    ],
)
def test_a_signature_does_not_help_what_is_for_somebody_else_or_another_time(
    peer: Peer, message: str, change: Change, reason: str
) -> None:
    assert reason in peer.refused(signed_again(message, change, identity("provider")))


def test_a_second_confirmation_may_be_for_something_else(peer: Peer, message: str) -> None:
    def change(response: etree._Element) -> None:
        doubled(".//saml:SubjectConfirmation")(response)
        at(".//saml:SubjectConfirmation", Method="urn:example:other")(response)

    assert peer.read(signed_again(message, change, identity("provider"))).name == ADA


def test_clocks_may_differ_by_a_minute(peer: Peer, message: str) -> None:
    conditions = one(opened(message), ".//saml:Conditions")
    begins = time_of(conditions.get("NotBefore", ""))
    ends = time_of(conditions.get("NotOnOrAfter", ""))
    assert (SKEW, ends - begins) == (60 * SECOND, 300 * SECOND)
    for moment in (begins - SKEW, ends + SKEW - 1):
        assert peer.read(message, moment).name == ADA
    assert "not yet good" in peer.refused(message, begins - SKEW - 1)
    assert "no longer good" in peer.refused(message, ends + SKEW)


def leave(_response: etree._Element) -> None:
    """Change nothing."""


def test_another_key_signs_for_nobody_whatever_it_says_of_itself(peer: Peer, message: str) -> None:
    assert "not the provider's" in peer.refused(signed_again(message, leave, identity("mallory")))


RSA_SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
SHA1 = "http://www.w3.org/2000/09/xmldsig#sha1"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"


@pytest.mark.parametrize("change", [method(signature=RSA_SHA1), method(digest=SHA1)])
def test_weak_algorithms_do_not_count(peer: Peer, message: str, change: Change) -> None:
    assert "not the provider's" in peer.refused(signed_again(message, change, identity("provider")))


def test_a_certificate_is_no_shared_secret(peer: Peer, message: str) -> None:
    forged = closed(shared_secret(opened(message), identity("provider")))
    assert "not the provider's" in peer.refused(forged)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without("saml:Assertion/ds:Signature"), "0 signatures"),
        (doubled("saml:Assertion/ds:Signature"), "2 signatures"),
        (text(".//saml:NameID", MALLORY), "not the provider's"),
        (text(".//saml:AttributeValue", MALLORY), "not the provider's"),
        (at("saml:Assertion", IssueInstant=PAST), "not the provider's"),
        (at(".//ds:Reference", URI=""), "refers to something else"),
        (at(".//ds:Reference", URI="#_another"), "refers to something else"),
        (at(".//ds:Reference", URI="https://evil.example/"), "refers to something else"),
        (at("saml:Assertion", ID="_another"), "refers to something else"),
        (doubled(".//ds:Reference"), "refers to something else"),
        (at(".//ds:CanonicalizationMethod", Algorithm=INCLUSIVE), "not canonical"),
        (doubled(".//ds:Transform"), "transformed"),
        (at(".//ds:Transform", Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"), "transf"),
        (without(".//ds:Transforms"), "transformed"),
        (text(".//ds:SignatureValue", ""), "not the provider's"),
        (text(".//ds:DigestValue", "AAAA"), "not the provider's"),
        (doubled("saml:Assertion"), "must be one assertion"),
        (without("saml:Assertion"), "must be one assertion"),
        (with_child(".", "saml:EncryptedAssertion"), "it is encrypted"),
    ],
)
def test_what_was_changed_after_it_was_signed_does_not_count(
    peer: Peer, message: str, change: Change, reason: str
) -> None:
    assert reason in peer.refused(changed(message, change))


def test_the_response_s_signature_is_not_the_assertion_s(peer: Peer) -> None:
    whole = peer.message(sign_response=True, sign_assertion=False)
    assert "0 signatures" in peer.refused(whole)


def test_a_signature_of_the_response_must_be_right_too(peer: Peer) -> None:
    both = peer.message(sign_response=True)
    assert "not the provider's" in peer.refused(changed(both, at(".", IssueInstant=PAST)))
    assert peer.read(changed(peer.message(), at(".", Destination=None))).name == ADA


@pytest.mark.parametrize("variant", range(1, 9))
def test_what_is_wrapped_around_the_signed_names_nobody(peer: Peer, variant: int) -> None:
    whole = peer.message(sign_response=variant <= 2)
    reason = "refers to something else" if variant <= 2 else "must be one assertion"
    assert reason in peer.refused(wrapped(whole, variant, MALLORY))


def test_a_comment_shortens_no_name(peer: Peer, message: str) -> None:
    longer = f"{ADA}.evil.example"
    honest = opened(signed_again(message, text(".//saml:NameID", longer), identity("provider")))
    document = etree.tostring(honest).replace(ADA.encode() + b".", ADA.encode() + b"<!-- -->.")
    assert b"<!-- -->" in document
    assert peer.read(closed(document)).name == longer
    document = document.replace(b"<!-- -->", b"<?stop here?>")
    with pytest.raises(RefusedResponseError):
        peer.read(closed(document))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda text: b"<!DOCTYPE a [<!ENTITY e 'x'>]>" + text, "a document type"),
        (lambda text: b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" + text, "a document type"),
        (lambda text: text[:-9], "not XML"),
        (lambda text: text.decode().encode("utf-16"), "not UTF-8"),
        (lambda _text: b"", "not XML"),
        (lambda _text: b"<a/>", "not a response"),
        (lambda text: text + b" " * (1 << 20), "larger than"),
    ],
)
def test_what_is_not_a_plain_document_is_not_read(
    peer: Peer, message: str, spoil: Callable[[bytes], bytes], reason: str
) -> None:
    assert reason in peer.refused(closed(spoil(etree.tostring(opened(message)))))


@pytest.mark.parametrize("message", ["", "é", "%%%", "PGE+", "PGEvPg-_"])
def test_nonsense_is_refused(peer: Peer, message: str) -> None:
    assert peer.refused(message)


def test_lines_may_be_broken(peer: Peer, message: str) -> None:
    lines = [message[start : start + 76] for start in range(0, len(message), 76)]
    assert peer.read("\r\n".join(lines)).name == ADA
