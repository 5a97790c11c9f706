"""A limiter whose allowances all processes on one PostgreSQL share (docs/decisions/0013).

While there is plenty a process borrows calls in advance, about as many as it has lately used in
half a second, and counts them in memory. Towards the end of the allowance nothing is lent any more
and each call is asked for, those that wait at the same moment together. A refusal is remembered
until the moment it names. So the database sees a few statements a second for each busy name, and
never more than one at a time from each process.
"""

import asyncio
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from pidgr.clock import MINUTE, SECOND, Clock
from pidgr.errors import UnavailableError
from pidgr.rpc import limit_store
from pidgr.rpc.limit_store import NO_LOAN, Grant, Loan
from pidgr.rpc.limits import REMEMBERED_NAMES, Rate
from pidgr.secrets import MasterKey
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

_SMALLEST_LOAN: Final = 2
_LARGEST_LOAN: Final = 10_000
# A loan that is used up sooner was too small.
_LOAN_SHOULD_LAST: Final = SECOND // 2
_SWEEP_PAUSE: Final = MINUTE


@dataclass(slots=True)
class _Share:
    """What this process knows of one allowance. Times are of the steady clock."""

    spare: int = 0
    """Borrowed calls that are left."""
    lapses_at: int = 0
    """From when on they are not ours any more."""
    loan: Loan = NO_LOAN
    borrowed_at: int = 0
    wanted: int = _SMALLEST_LOAN
    closed_until: int = 0
    """There is certainly no call to be had before."""
    open_at: int = 0
    """There certainly is one then, unless somebody else takes it."""
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    asking: asyncio.Task[None] | None = None


class SharedLimiter:
    """See :class:`pidgr.rpc.limits.Limiter`.

    Args:
        database: where the allowances are; PostgreSQL.
        master_key: names are stored as digests under it.
        kind: of names; those of different kinds have nothing to do with each other.
        rate: of each name.
        clock: for what happens within this process.
    """

    def __init__(
        self, database: Database, master_key: MasterKey, kind: str, rate: Rate, clock: Clock
    ) -> None:
        self.rate: Final = rate
        self._database = database
        self._key = master_key.derive("shared-limits")
        self._kind = kind.encode()
        self._clock = clock
        self._shares: OrderedDict[str, _Share] = OrderedDict()
        self._sweep_at = clock.steady() + _SWEEP_PAUSE

    async def take(self, name: str) -> None:
        """Count one call.

        Raises:
            ResourceExhaustedError: too many; it carries the seconds until the next one.
            UnavailableError: the database cannot be reached.
        """
        share = self._share(name)
        now = self._clock.steady()
        if self._from_memory(share, now):
            return
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        share.waiting.append(answer)
        if share.asking is None:
            share.asking = asyncio.create_task(self._ask(name, share))
        await answer

    def _share(self, name: str) -> _Share:
        share = self._shares.get(name)
        if share is None:
            share = self._shares[name] = _Share()
            if len(self._shares) > REMEMBERED_NAMES:
                self._shares.popitem(last=False)
        else:
            self._shares.move_to_end(name)
        return share

    def _from_memory(self, share: _Share, now: int) -> bool:
        """Use a borrowed call; False when only the database can tell.

        Raises:
            ResourceExhaustedError: there is none to be had now.
        """
        if share.spare and now < share.lapses_at:
            share.spare -= 1
            return True
        if now < share.closed_until:
            raise self.rate.exhausted(share.open_at - now)
        return False

    async def _ask(self, name: str, share: _Share) -> None:
        """Ask for all who wait, until nobody does."""
        try:
            while share.waiting:
                await self._ask_once(name, share)
        except BaseException as error:
            for answer in share.waiting:
                if not answer.done():
                    answer.set_exception(error)
            share.waiting.clear()
            if not isinstance(error, Exception):
                raise
        finally:
            share.asking = None

    async def _ask_once(self, name: str, share: _Share) -> None:
        # Who has hung up by now is not counted.
        waiting = [answer for answer in share.waiting if not answer.done()]
        share.waiting = []
        if not waiting:
            return
        try:
            sent = self._clock.steady()
            granted = await self._grant(name, share, len(waiting), sent)
        except BaseException:
            share.waiting = waiting + share.waiting
            raise
        received = self._clock.steady()
        share.spare = granted.extra
        share.loan = Loan(granted.epoch, granted.extra, 0)
        share.borrowed_at = sent
        share.lapses_at = sent + granted.lives
        if granted.wait > 0:
            share.closed_until = sent + granted.wait
            share.open_at = received + granted.wait
        for number, answer in enumerate(waiting):
            if answer.done():
                continue
            if number < granted.taken:
                answer.set_result(None)
            else:
                answer.set_exception(self.rate.exhausted(granted.wait))
        self._serve_late(share, received)

    def _serve_late(self, share: _Share, now: int) -> None:
        """Answer those who came while the database was asked, as far as memory can."""
        late, share.waiting = share.waiting, []
        for answer in late:
            if answer.done():
                continue
            try:
                if self._from_memory(share, now):
                    answer.set_result(None)
                else:
                    share.waiting.append(answer)
            except Exception as error:  # noqa: BLE001 - raised in the caller, who waits for it
                answer.set_exception(error)

    async def _grant(self, name: str, share: _Share, demand: int, now: int) -> Grant:
        settled = Loan(share.loan.epoch, share.loan.calls, share.spare)
        self._adapt(share, now)
        # If the answer is lost, so is what it would have granted, and the old loan lapses.
        share.spare, share.loan = 0, NO_LOAN
        try:
            return await self._take(name, demand, share.wanted, settled)
        except UnavailableError:
            # Its connection may have died since it was last used. What is settled already must not
            # be settled again: more would be free than there is.
            return await self._take(name, demand, share.wanted, NO_LOAN)

    async def _take(self, name: str, demand: int, wanted: int, settled: Loan) -> Grant:
        digest = hashlib.blake2b(
            name.encode(), key=self._key, digest_size=16, person=self._kind
        ).digest()
        sweep = self._clock.steady() >= self._sweep_at
        if sweep:
            self._sweep_at = self._clock.steady() + _SWEEP_PAUSE

        def work(transaction: Transaction) -> Grant:
            now = self._clock.database_now()
            granted = limit_store.take(
                transaction,
                digest,
                self.rate,
                demand=demand,
                wanted=wanted,
                settled=settled,
                now=now,
            )
            if sweep:
                limit_store.forget_whole(transaction, now)
            return granted

        # A power cut may give some calls back, which is no reason to wait for the disk.
        return await self._database.write(work, durable=False)

    @staticmethod
    def _adapt(share: _Share, now: int) -> None:
        if not share.loan.calls:
            return
        if share.spare:
            used = share.loan.calls - share.spare
            share.wanted = max(_SMALLEST_LOAN, used)
        elif now - share.borrowed_at < _LOAN_SHOULD_LAST:
            share.wanted = min(share.wanted * 2, _LARGEST_LOAN)
