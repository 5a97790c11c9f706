"""What an assertion says of a person, once it is known to be for us and for now.

SAML 2.0 core, 2.3 to 2.7, and the web browser profile (saml-profiles-2.0-os, 4.1.4). Whose word
it is has been checked before: everything here reads what a signature covers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from pidgr.clock import MINUTE
from pidgr.identity.sso.saml_names import ASSERTION
from pidgr.identity.sso.xml import XmlError, text_of, time_of

EMAIL_ADDRESS: Final = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
SKEW: Final = MINUTE
"""By how much a provider's clock may differ from ours, in microseconds."""

_BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_ENTITY: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity"
_NAMESPACES: Final = {"saml": ASSERTION}
# Any other condition is one we cannot know to be met (core 2.5.1.1).
_CONDITIONS: Final = {
    f"{{{ASSERTION}}}{name}" for name in ("AudienceRestriction", "OneTimeUse", "ProxyRestriction")
}


class RefusedAssertionError(Exception):
    """An assertion that is not for us or not for now; the sentence is for the log."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """What an assertion must have been made for."""

    issuer: str
    """The provider it must be from."""
    audience: str
    """Our entity ID."""
    recipient: str
    """Where it must have been sent."""
    request_id: str
    """The request it must answer."""


@dataclass(frozen=True, slots=True)
class Person:
    """What an assertion says of its subject."""

    name: str
    name_format: str
    authenticated_at: int
    """When they signed in at the provider, in microseconds: at the least recent time it tells."""
    attributes: dict[str, str | list[str]]
    """By name; a list where there are several values."""


def judge(assertion: etree._Element, purpose: Purpose, now: int) -> Person:
    """Return what an assertion says.

    Args:
        assertion: with a signature that has been verified.
        purpose: what it must be for.
        now: in microseconds.

    Raises:
        RefusedAssertionError: it is another provider's, for somebody else, for another sign-in, no
            longer or not yet good, or not understood.
    """
    try:
        if assertion.get("Version") != "2.0":
            raise RefusedAssertionError("it is not of SAML 2.0")
        require_issuer(assertion, purpose.issuer)
        _require_conditions(_only(assertion, "Conditions"), purpose, now)
        subject = _only(assertion, "Subject")
        _require_confirmation(subject, purpose, now)
        authenticated_at = _require_session(assertion, now)
        name = subject.find("saml:NameID", _NAMESPACES)
        return Person(
            name="" if name is None else text_of(name),
            name_format="" if name is None else name.get("Format", ""),
            authenticated_at=authenticated_at,
            attributes=_attributes(assertion),
        )
    except XmlError as error:
        raise RefusedAssertionError(str(error)) from error


def require_issuer(element: etree._Element, issuer: str) -> None:
    """Demand that an assertion or a response says it is a provider's.

    Raises:
        RefusedAssertionError: it says nothing, or something else.
        XmlError: it says more than a name.
    """
    found = _only(element, "Issuer")
    if found.get("Format", _ENTITY) != _ENTITY or text_of(found) != issuer:
        raise RefusedAssertionError("it is another provider's")


def _require_conditions(conditions: etree._Element, purpose: Purpose, now: int) -> None:
    _require_time(conditions, now)
    for condition in conditions:
        if condition.tag not in _CONDITIONS:
            raise RefusedAssertionError("it has a condition that is not known here")
    restrictions = conditions.findall("saml:AudienceRestriction", _NAMESPACES)
    if not restrictions:
        raise RefusedAssertionError("it is for no audience")
    for restriction in restrictions:
        audiences = restriction.findall("saml:Audience", _NAMESPACES)
        if purpose.audience not in map(text_of, audiences):
            raise RefusedAssertionError("it is for another audience")


def _require_confirmation(subject: etree._Element, purpose: Purpose, now: int) -> None:
    """Demand one confirmation that fits; a provider may add others for other uses."""
    problem = RefusedAssertionError("nobody who bears it is confirmed to be its subject")
    for confirmation in subject.findall("saml:SubjectConfirmation", _NAMESPACES):
        data = confirmation.find("saml:SubjectConfirmationData", _NAMESPACES)
        if confirmation.get("Method") != _BEARER or data is None:
            continue
        try:
            _require_bearer(data, purpose, now)
        except RefusedAssertionError as error:
            problem = error
        else:
            return
    raise problem


def _require_bearer(data: etree._Element, purpose: Purpose, now: int) -> None:
    if data.get("Recipient") != purpose.recipient:
        raise RefusedAssertionError("it is for another recipient")
    if data.get("InResponseTo") != purpose.request_id:
        raise RefusedAssertionError("it answers another request")
    if data.get("NotOnOrAfter") is None:
        raise RefusedAssertionError("it does not say how long it may be shown")
    _require_time(data, now)


def _require_session(assertion: etree._Element, now: int) -> int:
    """Demand that somebody has signed in and still is; return since when."""
    statements = assertion.findall("saml:AuthnStatement", _NAMESPACES)
    if not statements:
        raise RefusedAssertionError("nobody has signed in")
    for statement in statements:
        ends = statement.get("SessionNotOnOrAfter")
        if ends is not None and time_of(ends) + SKEW <= now:
            raise RefusedAssertionError("the session at the provider is over")
    # The schema demands the attribute (core 2.7.2).
    return min(time_of(statement.get("AuthnInstant", "")) for statement in statements)


def _require_time(element: etree._Element, now: int) -> None:
    begins, ends = element.get("NotBefore"), element.get("NotOnOrAfter")
    if begins is not None and now + SKEW < time_of(begins):
        raise RefusedAssertionError("it is not yet good")
    if ends is not None and time_of(ends) + SKEW <= now:
        raise RefusedAssertionError("it is no longer good")


def _attributes(assertion: etree._Element) -> dict[str, str | list[str]]:
    found: dict[str, list[str]] = {}
    for attribute in assertion.iterfind("saml:AttributeStatement/saml:Attribute", _NAMESPACES):
        found.setdefault(attribute.get("Name", ""), []).extend(_values(attribute))
    return {
        name: values[0] if len(values) == 1 else values for name, values in found.items() if values
    }


def _values(attribute: etree._Element) -> Iterator[str]:
    for value in attribute.iterfind("saml:AttributeValue", _NAMESPACES):
        # Some hold elements, which nothing here has a use for.
        if len(value) == 0 and (text := text_of(value)):
            yield text


def _only(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(f"saml:{name}", _NAMESPACES)
    if len(found) != 1:
        raise RefusedAssertionError(f"it has {len(found)} times {name}, and must have it once")
    return found[0]
