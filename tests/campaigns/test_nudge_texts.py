"""What nudges say, in five languages."""

import pytest

from pidgr.campaigns.nudge_texts import nudge_text
from pidgr.validation import LOCALES

URL = "https://pidgr.example/c/abcdEFGH?t=x"


@pytest.mark.parametrize("is_own", [True, False])
def test_the_five_languages_are_five_texts_of_name_title_and_link(is_own: bool) -> None:
    found = [nudge_text(one, "Ann", "New {policy}", URL, is_own=is_own) for one in LOCALES]
    assert len({subject for subject, _ in found}) == 5
    assert len({text for _, text in found}) == 5
    for subject, text in found:
        assert "New {policy}" in subject
        assert text.count("New {policy}") == 1
        assert text.count("Ann") == 1
        assert text.endswith(f"\n{URL}")


def test_the_message_of_somebody_else_is_told_as_such() -> None:
    for locale in LOCALES:
        own, others = (nudge_text(locale, "", "T", URL, is_own=is_own) for is_own in (True, False))
        assert own[1] != others[1]


def test_without_a_name_or_a_known_language_it_is_a_plain_english_hello() -> None:
    _, text = nudge_text("xx", " ", "T", URL, is_own=True)
    assert text.startswith("Hello,\n\nA message")


def test_a_title_of_two_lines_is_one_in_a_header() -> None:
    subject, _ = nudge_text("en", "A\r\nB", "T\r\nBcc: eve@example.com", URL, is_own=True)
    assert subject == "Reminder: T Bcc: eve@example.com"
