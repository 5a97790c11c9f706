"""Retry-After means the same to pushes, nudges and webhooks."""

import pytest

from pidgr.clock import HOUR, SECOND
from pidgr.outreach.retry_after import delay

DATE = "Sun, 01 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("2.5", 2.5),
        ("Sun, 01 Nov 2026 12:01:30 GMT", 90),
        ("Sunday, 01-Nov-26 12:01:30 GMT", 90),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
    ],
)
def test_a_delay_is_read_in_both_forms(text: str, seconds: float) -> None:
    assert delay({"retry-after": text, "date": DATE}) == seconds * SECOND


@pytest.mark.parametrize("text", ["86400", "9" * 5_000, "Mon, 02 Nov 2026 12:00:00 GMT"])
def test_nobody_is_waited_for_longer_than_an_hour(text: str) -> None:
    assert delay({"retry-after": text, "date": DATE}) == HOUR


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "-1",
        "nan",
        "inf",
        "1e3",
        "²",
        "Sun, 01 Nov 2026 12:01:30",
        "Sun, 01 Nov 99999 12:01:30 GMT",
    ],
)
def test_what_is_neither_asks_for_nothing(text: str) -> None:
    assert delay({"retry-after": text, "date": DATE}) is None


@pytest.mark.parametrize("headers", [{}, {"date": ""}, {"date": "today"}])
def test_a_date_needs_one_to_count_from(headers: dict[str, str]) -> None:
    assert delay({"retry-after": "Sun, 01 Nov 2026 12:01:30 GMT", **headers}) is None
