import httpx
import pytest

from pidgr.outreach.device_pusher import retry_after

DATE = "Sun, 01 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("2.5", 2.5),
        ("86400", 3600),
        ("Sun, 01 Nov 2026 12:01:30 GMT", 90),
        ("Sunday, 01-Nov-26 12:01:30 GMT", 90),
        ("Sun, 01 Nov 2026 11:00:00 GMT", 0),
        ("Mon, 02 Nov 2026 12:00:00 GMT", 3600),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_delay_is_read_in_both_forms(text: str, seconds: float | None) -> None:
    response = httpx.Response(429, headers={"retry-after": text, "date": DATE})
    assert retry_after(response) == seconds


@pytest.mark.parametrize("date", [None, "", "today"])
def test_a_date_needs_one_to_count_from(date: str | None) -> None:
    headers = {"retry-after": "Sun, 01 Nov 2026 12:01:30 GMT"}
    response = httpx.Response(429, headers=headers if date is None else headers | {"date": date})
    assert retry_after(response) is None
