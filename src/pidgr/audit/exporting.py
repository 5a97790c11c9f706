"""Exports of the audit trail: files that a task of the durable engine writes.

A task reads the trail page by page and hands the file to the blob store as it grows, so a trail of
any length needs little memory. What it writes is fixed when it is asked for: nothing that happens
later gets in. A crash begins the file anew; the store never shows half of one.
"""

import uuid
from collections.abc import Iterator
from functools import partial
from typing import Final

import structlog

from pidgr.audit import export_store, formats
from pidgr.audit.export_store import NewExport, StartedExport
from pidgr.audit.reading import Entry, Question, TrailReader
from pidgr.clock import DAY, Clock
from pidgr.contract.v1.audit_pb import AuditExportFormat
from pidgr.directory import organization_store
from pidgr.engine.port import Engine, Queue, Task
from pidgr.errors import FailedPreconditionError, ResourceExhaustedError
from pidgr.identity.caller import Caller
from pidgr.storage.blobs import BlobStore
from pidgr.storage.database import Database
from pidgr.storage.transaction import Transaction

MOST_UNFINISHED: Final = 5
"""Exports of one organization that may be waiting or being written."""
KEPT: Final = 7 * DAY
"""How long a finished export can be fetched, in microseconds."""

_WRITE: Final = "audit.export"
_EXPIRE: Final = "audit.expire_export"
_PAGE: Final = 1_000

log = structlog.get_logger("pidgr.audit")


class AuditExports:
    """Plans, writes and deletes exports."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        blobs: BlobStore,
        trail: TrailReader,
        clock: Clock,
        *,
        page: int = _PAGE,
    ) -> None:
        self._database = database
        self._engine = engine
        self._blobs = blobs
        self._trail = trail
        self._clock = clock
        self._page = page

    def register(self) -> None:
        """Give the engine its handlers."""
        self._engine.register(_WRITE, self.write, self._writing_failed)
        self._engine.register(_EXPIRE, self.expire)

    def begin(
        self,
        transaction: Transaction,
        caller: Caller,
        file_format: AuditExportFormat,
        start: int,
        end: int,
    ) -> str:
        """Have the events between two moments written into a file; return the export's id.

        Raises:
            FailedPreconditionError: the server cannot write the format.
            ResourceExhaustedError: too many of the organization's exports are not finished.
        """
        if file_format is AuditExportFormat.PARQUET and not formats.has_parquet():
            message = "this server cannot write Parquet; ask for CSV or JSON, or have the operator"
            raise FailedPreconditionError(f"{message} install pidgr[parquet]")
        organization_store.lock_organization(transaction, caller.organization_key)
        if export_store.unfinished(transaction, caller.organization_key) >= MOST_UNFINISHED:
            message = f"{MOST_UNFINISHED} exports are not finished yet; wait for one of them"
            raise ResourceExhaustedError(message)
        now = self._clock.now()
        export = NewExport(
            id=str(uuid.uuid4()),
            organization_key=caller.organization_key,
            format=int(file_format),
            start_at=start,
            end_at=min(end, now),
            member_key=caller.person.key if caller.person else None,
            created_at=now,
        )
        key = export_store.insert(transaction, export)
        task = Task(_WRITE, f"audit-export/{export.id}", (key,), Queue.LANES)
        self._engine.enqueue(transaction, task)
        return export.id

    def write(self, key: int) -> None:
        """Write an export's file; harmless to repeat."""
        export = self._database.write_now(partial(export_store.begin, key=key))
        if export is None:
            return
        ending, parts = formats.WRITERS[AuditExportFormat(export.format)]
        self._blobs.put(blob_name(export), parts(self._pages(export)))
        self._database.write_now(lambda transaction: self._complete(transaction, key, export.id))
        log.info("an export of the audit trail is ready", export_id=export.id, format=ending)

    def expire(self, key: int) -> None:
        """Delete an export and its file; harmless to repeat."""
        export = self._database.read_now(partial(export_store.started, key=key))
        if export is not None:
            self._blobs.delete(blob_name(export))
            self._database.write_now(partial(export_store.delete, key=key))

    def _pages(self, export: StartedExport) -> Iterator[list[Entry]]:
        question = Question(export.organization_key, start=export.start_at, end=export.end_at)
        after: tuple[int, ...] = ()
        while True:
            self._engine.checkpoint()
            page = self._database.read_now(
                partial(self._trail.page, question=question, after=after, limit=self._page)
            )
            if page:
                yield page
            if len(page) < self._page:
                return
            after = page[-1].position

    def _complete(self, transaction: Transaction, key: int, export_id: str) -> None:
        if export_store.complete(transaction, key, self._clock.now()):
            self._expire_later(transaction, key, export_id)

    def _writing_failed(self, task: Task, error: Exception) -> None:
        key = int(task.arguments[0])
        log.error("an export of the audit trail failed", task=task.key, error=type(error).__name__)

        def fail(transaction: Transaction) -> None:
            message = "the file could not be written; ask for another export, or tell the operator"
            export_store.fail(transaction, key, message, self._clock.now())
            self._expire_later(transaction, key, task.key.rpartition("/")[2])

        self._database.write_now(fail)

    def _expire_later(self, transaction: Transaction, key: int, export_id: str) -> None:
        task = Task(_EXPIRE, f"expire-audit-export/{export_id}", (key,), Queue.LANES, KEPT)
        self._engine.enqueue(transaction, task)


def blob_name(export: StartedExport) -> str:
    """Return the name of an export's file."""
    return file_name(export.organization_id, export.id, export.format)


def file_name(organization_id: str, export_id: str, file_format: int) -> str:
    """Return the name of an export's file in the blob store."""
    ending, _ = formats.WRITERS[AuditExportFormat(file_format)]
    return f"{organization_id}/audit/{export_id}.{ending}"
