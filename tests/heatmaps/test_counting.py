"""Counting of more touches than are counted at once, beside a naive count."""

from collections import Counter as Tally

import numpy as np
import pytest
import sqlalchemy

from pidgr.heatmaps import blocks, counting
from pidgr.heatmaps.blocks import CAPACITY, Touches
from pidgr.heatmaps.counting import Counter
from pidgr.heatmaps.touches import MINUTES_PER_DAY, UNITS, encode, kind_of
from pidgr.storage import revisions
from pidgr.storage.database import Database, create_engine
from pidgr.storage.sql import Statement
from pidgr.system import migrate

CELL = 730
SIDE = 14


def touches(count: int) -> Touches:
    random = np.random.default_rng(count)

    def column(end: int) -> blocks.Column:
        return random.integers(0, end, count, dtype=np.uint16)

    kinds = np.array(
        [kind_of(event_type, bucket) for event_type in (1, 3) for bucket in (0, 2, 7)],
        dtype=np.uint16,
    )
    places = (column(UNITS + 1), column(UNITS + 1))
    return Touches(column(MINUTES_PER_DAY), *places, kinds[column(len(kinds))])


def naive(some: Touches, types: set[int], *, by_bucket: bool) -> Tally[tuple[int, int]]:
    columns = (some.x, some.y, some.event_type, some.bucket)
    return Tally(
        (bucket if by_bucket else 0, y // CELL * SIDE + x // CELL)
        for x, y, event_type, bucket in zip(*(c.tolist() for c in columns), strict=True)
        if not types or event_type in types
    )


@pytest.mark.parametrize("by_bucket", [True, False])
@pytest.mark.parametrize("types", [set(), {3}])
def test_more_than_are_counted_at_once(
    types: set[int], *, by_bucket: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "_WAITING", 20_000)
    given = touches(2 * CAPACITY + 10)
    parts = list(blocks.split(blocks.together([given])))
    assert [len(part) for part in parts] == [CAPACITY, CAPACITY, 10]
    counter = Counter(CELL, types, by_bucket=by_bucket)
    for part in parts:
        counter.add_block(blocks.decode(*blocks.encode(part)))
    counter.add(given)
    counts = counter.counts()
    found = {
        (row, cell): count
        for row, cells in enumerate(counts.tolist())
        for cell, count in enumerate(cells)
        if count
    }
    once = naive(given, types, by_bucket=by_bucket)
    assert found == {place: 2 * count for place, count in once.items()}
    assert counter.buckets == {0, 2, 7}


def test_a_block_gives_back_what_was_put_in() -> None:
    some = blocks.together([touches(1_000)])
    again = blocks.decode(*blocks.encode(some)).touches()
    for name in ("minute", "x", "y", "kind"):
        assert getattr(again, name).tolist() == getattr(some, name).tolist()
    with pytest.raises(ValueError, match="without its minutes"):
        blocks.decode(blocks.encode(some)[0]).touches()


_BEFORE = sqlalchemy.text("""
    insert into touch_block (organization_key, screen_key, campaign_key, day, size, events)
    values (1, 1, 0, 20000, 300, :events)
""")
_REFERRED_TO = (
    """
    insert into organization (key, id, name, name_folded, org_type, analytics_salt, created_at)
    values (1, 'o', 'Acme', 'acme', 1, '', 0)
    """,
    "insert into touch_screen (key, organization_key, name) values (1, 1, 'Home')",
)
_AFTER = Statement("select day, size, places, minutes from touch_block")


def test_blocks_of_the_first_form_are_converted(database: Database) -> None:
    columns = touches(300)
    rows = zip(
        *(c.tolist() for c in (columns.minute, columns.x, columns.y, columns.kind)), strict=True
    )
    engine = create_engine(database.url)
    with engine.begin() as connection:
        revisions.upgrade(connection, "0019")
        for text in _REFERRED_TO:
            connection.exec_driver_sql(text)
        connection.execute(_BEFORE, {"events": encode(list(rows))})
    engine.dispose()
    migrate(database)
    ((day, size, places, minutes),) = database.read_now(lambda reader: reader.rows(_AFTER))
    assert (day, size) == (20_000, 300)
    wanted = blocks.encode(blocks.together([columns]))
    assert (bytes(places), bytes(minutes)) == wanted
