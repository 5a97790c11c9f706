"""Which text a recipient reads (SEMANTICS section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from pidgr.content.translation_store import ApprovedText
from pidgr.validation import LOCALES


@dataclass(frozen=True, slots=True)
class LocalText:
    """A text and the locale it is really in."""

    locale: str
    title: str
    body: str


def texts_by_preference(
    source: LocalText,
    approved: Sequence[ApprovedText],
    *,
    campaign_locale: str,
    organization_locale: str,
) -> dict[str, LocalText]:
    """Return the text for each preferred locale, "" standing for people without one.

    The campaign's locale goes before everything, then the recipient's, then the organization's,
    then the source's. A locale without an approved translation reads the source.
    """
    texts = {
        text.locale: LocalText(text.locale, text.title or source.title, text.body)
        for text in approved
    }
    texts[source.locale] = source
    wanted = {
        preferred: campaign_locale or preferred or organization_locale or source.locale
        for preferred in ("", *LOCALES)
    }
    return {preferred: texts.get(locale, source) for preferred, locale in wanted.items()}
