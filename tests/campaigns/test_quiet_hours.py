"""When somebody may be pushed, through every zone's changes of the clock."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidgr.campaigns.quiet_hours import QuietHours, known_zones, parse, pushable_from
from pidgr.clock import DAY, MINUTE, from_datetime, to_datetime
from pidgr.errors import InvalidArgumentError

ZONES = sorted(known_zones())
NIGHT = QuietHours(22 * 60, 7 * 60, "Europe/Berlin")

zones = st.sampled_from(ZONES)
minutes = st.integers(0, 24 * 60 - 1)
moments = st.datetimes(datetime(1971, 1, 1), datetime(2037, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001
    from_datetime
)
hours = st.tuples(minutes, minutes).filter(lambda pair: pair[0] != pair[1])


def local(text: str, zone: str = "Europe/Berlin", fold: int = 0) -> int:
    """Return the moment at which a zone's clock shows a time."""
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold))


@pytest.mark.parametrize(
    ("now", "then"),
    [
        ("2026-06-01T21:59", "2026-06-01T21:59"),
        ("2026-06-01T22:00", "2026-06-02T07:00"),
        ("2026-06-02T00:00", "2026-06-02T07:00"),
        ("2026-06-02T06:59:59", "2026-06-02T07:00"),
        ("2026-06-02T07:00", "2026-06-02T07:00"),
    ],
)
def test_a_night_ends_in_the_morning(now: str, then: str) -> None:
    assert pushable_from(NIGHT, local(now))("Europe/Berlin") == local(then)


def test_hours_within_a_day() -> None:
    noon = QuietHours(12 * 60, 13 * 60 + 30, "UTC")
    ends = pushable_from(noon, local("2026-06-01T12:45", "Asia/Tokyo"))
    assert ends("Asia/Tokyo") == local("2026-06-01T13:30", "Asia/Tokyo")
    assert ends("UTC") == local("2026-06-01T12:45", "Asia/Tokyo")


@pytest.mark.parametrize("name", ["", "Europe/Atlantis", "europe/tokyo", "../etc/passwd", "Europe"])
def test_a_zone_that_there_is_not_means_the_organization_s(name: str) -> None:
    ends = pushable_from(NIGHT, local("2026-06-01T23:00"))
    assert ends(name) == ends("Europe/Berlin") == local("2026-06-02T07:00")


def test_a_skipped_end_is_the_moment_the_clock_is_put_forward() -> None:
    quiet = QuietHours(22 * 60, 2 * 60 + 30, "UTC")
    ends = pushable_from(quiet, local("2026-03-28T23:00"))
    assert ends("Europe/Berlin") == local("2026-03-29T03:00")
    assert ends("Europe/Berlin") - local("2026-03-28T23:00") == 3 * 60 * MINUTE


def test_an_end_that_is_shown_twice_is_the_next_of_the_two() -> None:
    quiet = QuietHours(22 * 60, 2 * 60 + 30, "UTC")
    first, second = (local("2026-10-25T02:30", fold=fold) for fold in (0, 1))
    assert second - first == 60 * MINUTE
    assert pushable_from(quiet, local("2026-10-25T01:00"))("Europe/Berlin") == first
    again = local("2026-10-25T02:15", fold=1)
    assert first < again < second
    assert pushable_from(quiet, again)("Europe/Berlin") == second


def test_a_jump_from_quiet_to_quiet_hours_does_not_end_them() -> None:
    quiet = QuietHours(2 * 60 + 45, 2 * 60 + 15, "UTC")
    ends = pushable_from(quiet, local("2026-03-29T01:00"))
    assert ends("Europe/Berlin") == local("2026-03-30T02:15")


def test_a_day_that_a_zone_left_out() -> None:
    ends = pushable_from(NIGHT, local("2011-12-29T23:00", "Pacific/Apia"))
    assert ends("Pacific/Apia") == local("2011-12-31T07:00", "Pacific/Apia")


@given(zones, hours, moments)
def test_nobody_is_pushed_in_quiet_hours_nor_later_than_needed(
    zone: str, hours: tuple[int, int], now: int
) -> None:
    quiet = QuietHours(*hours, "UTC")
    then = pushable_from(quiet, now)(zone)
    clock = ZoneInfo(zone)
    assert not quiet.include(to_datetime(then).astimezone(clock))
    if not quiet.include(to_datetime(now).astimezone(clock)):
        assert then == now
        return
    assert now < then <= now + 2 * DAY
    shown = to_datetime(then).astimezone(clock)
    before = (to_datetime(then) - timedelta(microseconds=1)).astimezone(clock)
    assert quiet.include(before) or before.utcoffset() != shown.utcoffset()
    assert pushable_from(quiet, then)(zone) == then


@given(zones, hours, moments)
def test_of_two_pushes_the_later_one_does_not_overtake(
    zone: str, hours: tuple[int, int], now: int
) -> None:
    quiet = QuietHours(*hours, "UTC")
    then = pushable_from(quiet, now)(zone)
    assert pushable_from(quiet, (now + then) // 2)(zone) == then or then == now


def test_times_of_the_day_are_read_and_shown() -> None:
    hours = parse("22:00", "07:05", "Europe/Berlin")
    assert hours == QuietHours(22 * 60, 7 * 60 + 5, "Europe/Berlin")
    assert (hours.begins, hours.ends) == ("22:00", "07:05")


@pytest.mark.parametrize(
    ("begin", "end", "zone", "fields"),
    [
        ("24:00", "7:00", "Europe/Atlantis", ["from", "to", "zone"]),
        ("22:00", "22:00", "UTC", ["to"]),
        ("22:60", "07:00", "UTC", ["from"]),
        ("22:00", "07:00 ", "", ["to", "zone"]),
    ],
)
def test_everything_that_is_wrong_is_named(
    begin: str, end: str, zone: str, fields: list[str]
) -> None:
    with pytest.raises(InvalidArgumentError) as raised:
        parse(begin, end, zone)
    assert [one.field for one in raised.value.violations] == fields
