"""An allowance that processes share: each limiter here stands for a process, on a real PostgreSQL.

Time stands still unless a test moves it, the database's too.
"""

import asyncio
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pidgr.clock import SECOND, Clock, ManualClock
from pidgr.errors import ResourceExhaustedError, UnavailableError
from pidgr.rpc import limit_store
from pidgr.rpc.limit_store import EPOCH
from pidgr.rpc.limits import Rate
from pidgr.rpc.shared_limits import SharedLimiter
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

KEY = MasterKey("a master key for tests, long enough")
START = 1_790_000_000 * SECOND
COUNT = Statement("select count(*) from rate_bucket")
RATE = Rate.of(100, 200)
_names = itertools.count()


@pytest.fixture(scope="module")
def shared(postgres_server: object, postgres_template: str) -> Iterator[Database]:
    uri = postgres_server.get_uri  # type: ignore[attr-defined]
    with psycopg.connect(uri(), autocommit=True) as connection:
        connection.execute(f"create database shared_limits template {postgres_template}")
    database = Database(uri(database="shared_limits"))
    yield database
    database.close()


class Counting:
    """A database that counts what is written to it, and fails when told to."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.writes = 0
        self.failures = 0

    async def write(self, work: object, *, durable: bool = True) -> object:
        self.writes += 1
        result: object = await self.database.write(work, durable=durable)  # type: ignore[arg-type]
        if self.failures:
            self.failures -= 1
            raise UnavailableError("the answer was lost")
        return result


def process(database: object, clock: Clock, rate: Rate = RATE) -> SharedLimiter:
    return SharedLimiter(database, KEY, "test", rate, clock)  # type: ignore[arg-type]


def new_name() -> str:
    return f"name {next(_names)}"


async def count(limiter: SharedLimiter, name: str, calls: int) -> int:
    """Make calls at once and return how many passed."""
    outcomes = await asyncio.gather(
        *(limiter.take(name) for _ in range(calls)), return_exceptions=True
    )
    for outcome in outcomes:
        assert outcome is None or isinstance(outcome, ResourceExhaustedError), outcome
    return outcomes.count(None)


PAUSES = st.one_of(st.integers(0, 100_000), st.integers(0, 3 * EPOCH // 2))
CALLS = st.lists(
    st.tuples(st.integers(0, 2), st.one_of(st.integers(1, 3), st.integers(1, 60)), PAUSES),
    min_size=1,
    max_size=40,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(burst=st.integers(1, 60), interval=st.sampled_from([10_000, 100_000, 333_334]), calls=CALLS)
# Lent to the first, refilled behind its back, and then everything at once.
@example(
    burst=60,
    interval=10_000,
    calls=[(0, 1, 0), (0, 4, 0), (0, 9, EPOCH // 2), (1, 60, 0), (0, 60, 0), (2, 60, 0)],
)
# Used slower than it comes back, with calls in hand when the burst begins.
@example(
    burst=60,
    interval=10_000,
    calls=[*[(0, 1, 15_000)] * 25, (0, 6, 0), (1, 1, 10_000), (0, 60, 0), (1, 60, 0)],
)
@example(burst=60, interval=10_000, calls=[*[(0, 2, 40_000)] * 22, (0, 2, 2 * EPOCH), (1, 60, 0)])
def test_in_no_window_do_all_processes_together_admit_more_than_burst_and_refill(
    shared: Database, burst: int, interval: int, calls: list[tuple[int, int, int]]
) -> None:
    clock, name = ManualClock(START), new_name()
    rate = Rate(interval, burst)
    processes = [process(shared, clock, rate) for _ in range(3)]

    async def run() -> list[tuple[int, int]]:
        admitted = []
        for who, number, pause in calls:
            admitted.append((clock.now(), await count(processes[who], name, number)))
            clock.advance(pause)
        return admitted

    admitted = asyncio.run(run())
    for first, (start, _) in enumerate(admitted):
        total = 0
        for moment, passed in admitted[first:]:
            total += passed
            assert total <= burst + (moment - start) / interval


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(order=st.lists(st.integers(0, 2), min_size=30, max_size=60), burst=st.integers(8, 200))
def test_processes_that_all_want_more_admit_exactly_the_burst_and_the_refill(
    shared: Database, order: list[int], burst: int
) -> None:
    clock, name = ManualClock(START), new_name()
    rate = Rate(10_000, burst)
    processes = [process(shared, clock, rate) for _ in range(3)]

    async def run() -> int:
        total = 0
        for who in order:
            total += await count(processes[who], name, 7)
            clock.advance(30_000)
        # Everyone uses up what they hold.
        for limiter in processes:
            total += await count(limiter, name, burst + 10)
        return total

    total = asyncio.run(run())
    # 7 calls each 30 ms are more than comes back, so that the allowance is never full again.
    assert total == burst + (clock.now() - START) // rate.interval


def test_one_process_admits_the_burst_and_tells_exactly_when_there_is_more(
    shared: Database,
) -> None:
    clock, name = ManualClock(START), new_name()
    limiter = process(shared, clock)

    async def run() -> None:
        assert await count(limiter, name, 500) == 200
        for wait in (10_000, 10_000):
            with pytest.raises(ResourceExhaustedError) as refused:
                await limiter.take(name)
            assert refused.value.retry_after_seconds == wait / SECOND
            clock.advance(wait - 1)
            assert await count(limiter, name, 1) == 0
            clock.advance(1)
            assert await count(limiter, name, 2) == 1
        clock.advance(60 * SECOND)
        assert await count(limiter, name, 500) == 200

    asyncio.run(run())


def test_a_busy_process_asks_seldom_and_a_refused_one_hardly_ever(shared: Database) -> None:
    clock, name = ManualClock(START), new_name()
    counting = Counting(shared)
    limiter = process(counting, clock)

    async def steadily() -> int:
        passed = 0
        for _ in range(500):
            passed += await count(limiter, name, 1)
            clock.advance(20_000)
        return passed

    assert asyncio.run(steadily()) == 500
    # 50 calls a second for ten seconds.
    assert counting.writes < 50
    counting.writes = 0

    async def hammering() -> int:
        passed = 0
        for _ in range(1_000):
            passed += await count(limiter, name, 10)
            clock.advance(1_000)
        return passed

    assert asyncio.run(hammering()) <= 300
    # 10,000 calls in a second, and no statement more than there were calls to grant.
    assert counting.writes <= 150


def test_what_was_lent_to_a_process_that_died_comes_back(shared: Database) -> None:
    clock, name = ManualClock(START), new_name()
    lost, other = process(shared, clock), process(shared, clock)

    async def run() -> None:
        for _ in range(6):
            await count(lost, name, 9)
        held = lost._share(name).spare
        assert held
        clock.advance(SECOND)
        # All that is free but what the other may still be using.
        assert await count(other, name, 500) == 200 - held
        clock.advance(2 * EPOCH + 2 * SECOND)
        assert await count(other, name, 500) == 200
        assert await count(lost, name, 500) == 0

    asyncio.run(run())


def test_a_process_does_not_use_what_has_lapsed_and_gives_back_what_has_not(
    shared: Database,
) -> None:
    clock, name = ManualClock(START), new_name()
    one, other = process(shared, clock), process(shared, clock)

    async def run() -> None:
        for _ in range(6):
            await count(one, name, 9)
        assert one._share(name).spare
        clock.advance(2 * EPOCH + SECOND)
        assert await count(other, name, 500) == 200
        assert await count(one, name, 1) == 0
        clock.advance(10 * SECOND)
        # With the rest of its loan settled, the next burst is a whole one again.
        await one.take(name)
        clock.advance(10 * SECOND)
        assert await count(one, name, 500) == 200

    asyncio.run(run())


def test_an_answer_that_is_lost_makes_nothing_free(shared: Database) -> None:
    clock, name = ManualClock(START), new_name()
    counting = Counting(shared)
    unlucky, other = process(counting, clock), process(shared, clock)

    async def run() -> None:
        assert await count(unlucky, name, 20) == 20
        unlucky._share(name).spare = 0
        counting.failures = 1
        # Asked twice, granted twice, used once.
        assert await count(unlucky, name, 20) == 20
        assert await count(other, name, 500) <= 200 - 60
        counting.failures = 2
        unlucky._share(name).closed_until = unlucky._share(name).spare = 0
        with pytest.raises(UnavailableError):
            await unlucky.take(name)
        clock.advance(10 * SECOND)
        assert await count(unlucky, name, 500) == 200

    asyncio.run(run())


def test_callers_that_hang_up_leave_the_others_alone(shared: Database) -> None:
    clock, name = ManualClock(START), new_name()
    limiter = process(shared, clock, Rate(10_000, 10))

    async def run() -> int:
        tasks = [asyncio.create_task(limiter.take(name)) for _ in range(12)]
        await asyncio.sleep(0)
        for task in tasks[:5]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(one, asyncio.CancelledError) for one in outcomes) == 5
        return outcomes[5:].count(None) + await count(limiter, name, 20)

    # Whether those five were counted depends on how far their question had come.
    assert asyncio.run(run()) in range(5, 11)


def test_names_and_kinds_are_apart_and_not_to_be_read_in_the_database(shared: Database) -> None:
    clock, name = ManualClock(START), new_name()
    small = Rate(SECOND, 3)
    one = process(shared, clock, small)
    other = SharedLimiter(shared, KEY, "other", small, clock)

    async def run() -> list[int]:
        return [
            await count(one, name, 5),
            await count(one, name + "b", 5),
            await count(other, name, 5),
        ]

    assert asyncio.run(run()) == [3, 3, 3]

    def stored(reader: Reader) -> list[bytes]:
        return [bytes(row[0]) for row in reader.rows(Statement("select name from rate_bucket"))]

    assert not [one for one in shared.read_now(stored) if name.encode() in one]


def test_rows_that_say_nothing_are_forgotten(shared: Database) -> None:
    clock = ManualClock(START)
    limiter = process(shared, clock)

    async def run() -> None:
        for _ in range(20):
            await limiter.take(new_name())
        clock.advance(120 * SECOND)
        await limiter.take("the last")

    asyncio.run(run())
    assert shared.read_now(lambda reader: reader.value(COUNT)) == 1


def test_a_clock_set_back_neither_opens_nor_closes_the_door_for_long(shared: Database) -> None:
    clock, name = ManualClock(START), new_name()
    limiter = process(shared, clock)
    assert asyncio.run(count(limiter, name, 500)) == 200

    def take(moment: int) -> int:
        def work(transaction: Transaction) -> int:
            digest = b"clock" + name.encode()
            return limit_store.take(
                transaction,
                digest,
                RATE,
                demand=500,
                wanted=0,
                settled=limit_store.NO_LOAN,
                now=moment,
            ).taken

        return shared.write_now(work)

    assert take(START) == 200
    back = START - 3_600 * SECOND
    assert take(back) == 0
    assert take(back + SECOND) == 100
    assert take(back + 10 * SECOND) == 200


def test_threads_with_connections_of_their_own_admit_exactly_the_burst(shared: Database) -> None:
    """With the real clock and a rate at which nothing comes back while the test runs."""
    name = new_name()
    rate = Rate(3_600 * SECOND, 90)

    def run(_: int) -> int:
        database = Database(shared.url.render_as_string(hide_password=False))
        limiter = process(database, Clock(), rate)

        async def calls() -> int:
            return sum([await count(limiter, name, 5) for _ in range(20)])

        try:
            return asyncio.run(calls())
        finally:
            database.close()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(run, range(3))) == 90
