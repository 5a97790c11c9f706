"""XML of strangers: no document types, no entities, nothing fetched, no comments.

A comment splits an element's text into parts, and a reader that looks at the first one sees
another name than the signature covers. Canonical XML leaves comments out, so leaving them out here
changes no signature.
"""

from datetime import UTC, datetime
from typing import Final

from lxml import etree

from pidgr.clock import from_datetime

LARGEST: Final = 1 << 20


class XmlError(ValueError):
    """Not a document we read; the sentence says why."""


def parse(document: bytes) -> etree._Element:
    """Return the root of a document in UTF-8.

    Raises:
        XmlError: too large, not UTF-8, not XML, or with a document type.
    """
    if len(document) > LARGEST:
        raise XmlError("the document is larger than a megabyte")
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise XmlError("the document is not UTF-8") from error
    # Before the parser sees it: what a document type declares may be used while it is read.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise XmlError("the document has a document type")
    try:
        return etree.fromstring(document, parser())
    except etree.XMLSyntaxError as error:
        raise XmlError("the document is not XML") from error


def parser() -> etree.XMLParser:
    """Return a parser that reads a document and nothing else."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        remove_comments=True,
    )


def text_of(element: etree._Element) -> str:
    """Return the text of an element that holds nothing else.

    Raises:
        XmlError: it holds elements or instructions.
    """
    if len(element):
        raise XmlError(f"{etree.QName(element).localname} holds more than text")
    return (element.text or "").strip()


def time_of(text: str) -> int:
    """Return an ``xs:dateTime`` in microseconds since 1970; one without a zone is in UTC.

    Raises:
        XmlError: it is none.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise XmlError("what should be a time is none") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return from_datetime(moment)
