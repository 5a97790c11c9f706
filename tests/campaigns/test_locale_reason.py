"""Why a locale was chosen, held against the rule that chooses it."""

import itertools

import pytest

from pidgr.campaigns.locale_reason import LocaleChoice, locale_reason
from pidgr.content.locales import LocalText, texts_by_preference
from pidgr.content.translation_store import ApprovedText
from pidgr.validation import LOCALES

WISHES = ("", *LOCALES)


def choose(campaign: str, recipient: str, organization: str, *approved: str) -> LocaleChoice:
    """Return what the rule makes of these wishes, with a source text in English."""
    texts = texts_by_preference(
        LocalText("en", "title", "body"),
        [ApprovedText(locale, "title", f"body in {locale}") for locale in approved],
        campaign_locale=campaign,
        organization_locale=organization,
    )
    chosen = {preferred: text.locale for preferred, text in texts.items()}
    everybody = len(set(chosen.values())) == 1
    return LocaleChoice(
        chosen[recipient], campaign, recipient, organization, {} if everybody else chosen
    )


@pytest.mark.parametrize(
    ("campaign", "recipient", "organization", "approved", "reason"),
    [
        ("es", "ja", "", ("es", "ja"), "the campaign asks for it"),
        ("es", "ja", "", ("ja",), "the campaign asks for es, which had no approved text"),
        ("", "ja", "es", (), "it was the only approved text"),
        ("", "ja", "es", ("ja",), "the recipient prefers it"),
        ("", "zh", "es", ("ja",), "the recipient prefers zh, which had no approved text"),
        (
            "",
            "",
            "es",
            ("es",),
            "the recipient prefers none and the organization's default is this",
        ),
        (
            "",
            "",
            "",
            ("es",),
            (
                "the recipient prefers none, and the organization had no other default with a "
                "text then"
            ),
        ),
    ],
)
def test_the_reason_is_the_rule_that_decided(
    campaign: str, recipient: str, organization: str, approved: tuple[str, ...], reason: str
) -> None:
    assert locale_reason(choose(campaign, recipient, organization, *approved)) == reason


def test_a_preference_that_still_holds_is_never_called_changed() -> None:
    for campaign, recipient, organization in itertools.product(WISHES, repeat=3):
        for approved in ((), ("es",), ("es", "ja")):
            choice = choose(campaign, recipient, organization, *approved)
            assert "then than now" not in locale_reason(choice)
