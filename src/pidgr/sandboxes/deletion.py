"""Deletes sandboxes when their time has come, as a task of the durable engine.

There is one task for each sandbox, enqueued when it is made and due when it expires; deleting it
earlier makes that task due at once. It deletes in batches, each its own transaction, and a crash
loses nothing: the rows that are left say what is left to do.
"""

from functools import partial
from typing import Final

import structlog

from pidgr.audit import trail, trail_store
from pidgr.campaigns.advance import wake_key
from pidgr.clock import Clock
from pidgr.contract.v1.audit_pb import AuditEventType
from pidgr.contract.v1.organization_pb import OrgType
from pidgr.engine.port import Engine, Queue, Task
from pidgr.sandboxes import deletion_store
from pidgr.storage.blobs import BlobStore, delete_under
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

_TASK: Final = "sandbox.delete"
# Of one transaction: on SQLite requests wait for it.
_ROWS_PER_BATCH: Final = 2_000

log = structlog.get_logger("pidgr.sandboxes")


class SandboxDeletion:
    """Plans and does the deletion of sandboxes."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        blobs: BlobStore,
        clock: Clock,
        *,
        rows_per_batch: int = _ROWS_PER_BATCH,
    ) -> None:
        self._database = database
        self._engine = engine
        self._blobs = blobs
        self._clock = clock
        self._rows_per_batch = rows_per_batch

    def register(self) -> None:
        """Give the engine its handler."""
        self._engine.register(_TASK, self.run)

    def schedule(
        self,
        transaction: Transaction,
        organization_key: int,
        organization_id: str,
        *,
        home_key: int,
        delay: int,
    ) -> None:
        """Have a sandbox deleted after a delay in microseconds.

        Args:
            transaction: the one that makes it.
            organization_key: of the sandbox.
            organization_id: of the sandbox.
            home_key: the organization whose trail is told when it expires; 0 for none.
            delay: microseconds.
        """
        key = deletion_key(organization_id)
        task = Task(_TASK, key, (organization_key, home_key), Queue.LANES, delay)
        self._engine.enqueue(transaction, task)

    def hasten(self, transaction: Transaction, organization_key: int, organization_id: str) -> str:
        """Have a sandbox deleted now; for everybody it is gone with this transaction.

        Returns:
            The key of the task that does it.
        """
        deletion_store.close(transaction, organization_key, self._clock.now())
        key = deletion_key(organization_id)
        self._engine.move(transaction, key, 0)
        return key

    def run(self, organization_key: int, home_key: int = 0) -> None:
        """Delete a sandbox; harmless to repeat, also after half the work.

        Args:
            organization_key: of the sandbox.
            home_key: as for ``schedule``; tasks of versions before knew none.
        """
        organization_id = self._database.write_now(
            lambda transaction: self._begin(transaction, organization_key, home_key)
        )
        if organization_id is None:
            return
        deleted = 0
        for statement in deletion_store.some_of_each_table():
            rows = self._rows_per_batch
            while rows == self._rows_per_batch:
                self._engine.checkpoint()
                rows = self._database.write_now(
                    partial(
                        deletion_store.delete_some,
                        statement=statement,
                        organization_key=organization_key,
                        rows=self._rows_per_batch,
                    )
                )
                deleted += rows
        delete_under(self._blobs, organization_id)
        self._database.write_now(lambda transaction: _end(transaction, organization_key))
        log.info("a sandbox was deleted", organization_key=organization_key, rows=deleted)

    def _begin(self, transaction: Transaction, organization_key: int, home_key: int) -> str | None:
        """Shut the sandbox, stop what runs in it and return its id; None: nothing to delete."""
        found = deletion_store.lock_organization(transaction, organization_key)
        if found is None:
            return None
        if found.org_type != OrgType.SANDBOX:
            message = f"the organization {found.id} is no sandbox and is not deleted"
            raise ValueError(message)
        now = self._clock.now()
        if not found.is_closed and deletion_store.exists(transaction, home_key):
            home = trail.system(home_key)
            event = AuditEventType.SANDBOX_EXPIRED
            trail.record(transaction, home, event, "organization", found.id, now=now)
        deletion_store.close(transaction, organization_key, now)
        trail_store.unlock(transaction, organization_key)
        stopped = deletion_store.stop_campaigns(transaction, organization_key, now)
        self._engine.cancel(transaction, [wake_key(key, step_id) for key, step_id in stopped])
        return found.id


def deletion_key(organization_id: str) -> str:
    """Return the key under which a sandbox's deletion waits."""
    return f"delete-sandbox/{organization_id}"


def _end(transaction: Transaction, organization_key: int) -> None:
    """Delete what was written while the batches ran, by calls that had begun before."""
    if deletion_store.lock_organization(transaction, organization_key) is not None:
        deletion_store.delete_rest(transaction, organization_key)
        trail_store.lock(transaction, organization_key)
