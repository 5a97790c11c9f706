"""What nudges say, in five languages."""

import pytest

from pidgr.campaigns.nudge_texts import nudge_text
from pidgr.validation import LOCALES

URL = "https://pidgr.example/c/abcdEFGH?t=x"


@pytest.mark.parametrize("is_own", [True, False])
def test_the_five_languages_are_five_texts_of_name_title_and_link(is_own: bool) -> None:
    found = [nudge_text(one, "Ann", "New {policy}", URL, is_own=is_own) for one in LOCALES]
    assert len({text.subject for text in found}) == 5
    assert len({text.whole for text in found}) == 5
    for text in found:
        assert "New {policy}" in text.subject
        assert text.whole.count("New {policy}") == 1
        assert text.whole.count("Ann") == 1
        assert text.whole.endswith(f"\n{URL}")
        assert f"\n\n{text.summary}\n\n" in text.whole
        assert "Ann" not in text.summary


def test_the_message_of_somebody_else_is_told_as_such() -> None:
    for locale in LOCALES:
        own, others = (nudge_text(locale, "", "T", URL, is_own=is_own) for is_own in (True, False))
        assert own.summary != others.summary


def test_without_a_name_or_a_known_language_it_is_a_plain_english_hello() -> None:
    text = nudge_text("xx", " ", "T", URL, is_own=True)
    assert text.whole.startswith("Hello,\n\nA message")


def test_a_title_of_two_lines_is_one_in_a_header() -> None:
    text = nudge_text("en", "A\r\nB", "T\r\nBcc: eve@example.com", URL, is_own=True)
    assert text.subject == "Reminder: T Bcc: eve@example.com"
