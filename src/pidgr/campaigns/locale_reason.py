"""Why a recipient reads a message in the locale it is in.

The choice itself is ``pidgr.content.locales``. Which locale the recipient preferred at that time is
not stored; where today's preference does not lead to what was chosen, the reason says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pidgr.validation import LOCALES


@dataclass(frozen=True, slots=True)
class LocaleChoice:
    """What decided the locale: wishes of the campaign and the recipient, and the texts there were.

    ``by_preference`` has the locale each preferred one led to, empty where everybody reads the
    same. An empty wish is none.
    """

    chosen: str
    campaign: str
    recipient: str
    organization: str
    by_preference: Mapping[str, str]


def locale_reason(choice: LocaleChoice) -> str:
    """Return why the locale was chosen, as the end of a sentence."""
    if choice.campaign:
        if choice.campaign == choice.chosen:
            return "the campaign asks for it"
        return f"the campaign asks for {choice.campaign}, which had no approved text"
    if len(set(choice.by_preference.values())) <= 1:
        return "it was the only approved text"
    return _by_preference(choice)


def _by_preference(choice: LocaleChoice) -> str:
    wish = choice.recipient if choice.recipient in LOCALES else ""
    if choice.by_preference.get(wish) != choice.chosen:
        return "the recipient preferred another locale then than now"
    if wish == choice.chosen:
        return "the recipient prefers it"
    if wish:
        return f"the recipient prefers {wish}, which had no approved text"
    if choice.organization == choice.chosen:
        return "the recipient prefers none and the organization's default is this"
    return "the recipient prefers none, and the organization had no other default with a text then"
