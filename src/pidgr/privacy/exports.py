"""Copies of data: files that a task of the durable engine writes and another deletes.

That of a person is put together in memory. That of an organization is handed to the blob store as
it grows: it is read page by page, each as it is at that moment.
"""

from collections.abc import Iterable
from functools import partial
from typing import Final

from pidgr.campaigns.delivery_id import DeliveryIds
from pidgr.clock import DAY, Clock
from pidgr.contract.v1.privacy_pb import PrivacyRequestStatus
from pidgr.directory import organization_store
from pidgr.engine.port import Engine, Queue, Task
from pidgr.errors import ResourceExhaustedError
from pidgr.privacy import organization_data, organization_rows, person_data, request_store
from pidgr.privacy.facts import write_facts
from pidgr.privacy.organization_rows import Position, Section
from pidgr.privacy.request_store import NewRequest, StoredRequest
from pidgr.storage.blobs import BlobStore
from pidgr.storage.database import Database
from pidgr.storage.transaction import Reader, Row, Transaction

MOST_UNFINISHED: Final = 5
"""Exports of one organization that may be waiting or being written."""
KEPT: Final = 7 * DAY
"""How long a finished export can be fetched, in microseconds."""

_WRITE: Final = "privacy.export"
_EXPIRE: Final = "privacy.expire_export"
_PAGE: Final = 1_000
S: Final = PrivacyRequestStatus


class DataExports:
    """Plans, writes and deletes copies."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        blobs: BlobStore,
        delivery_ids: DeliveryIds,
        clock: Clock,
        *,
        page: int = _PAGE,
    ) -> None:
        self._database = database
        self._engine = engine
        self._blobs = blobs
        self._delivery_ids = delivery_ids
        self._clock = clock
        self._page = page

    def register(self) -> None:
        """Give the engine its handlers."""
        self._engine.register(_WRITE, self.write, self._writing_failed)
        self._engine.register(_EXPIRE, self.expire)

    def begin(self, transaction: Transaction, request: NewRequest) -> None:
        """Store a request for a copy and have it written.

        Raises:
            ResourceExhaustedError: too many of the organization's are not finished.
        """
        organization_store.lock_organization(transaction, request.organization_key)
        unfinished = request_store.unfinished_exports(transaction, request.organization_key)
        if unfinished >= MOST_UNFINISHED:
            message = f"{MOST_UNFINISHED} exports are not finished yet; wait for one of them"
            raise ResourceExhaustedError(message)
        key = request_store.insert(transaction, request)
        task = Task(_WRITE, f"export-person/{request.id}", (key,), Queue.LANES)
        self._engine.enqueue(transaction, task)

    def write(self, key: int) -> None:
        """Write a copy; harmless to repeat."""
        self._database.write_now(
            partial(request_store.move, key=key, before=S.PENDING, after=S.PROCESSING)
        )
        found = self._database.read_now(partial(request_store.request_by_key, key=key))
        if found is None or found.status != S.PROCESSING:
            return
        organization = self._database.read_now(
            partial(organization_store.organization, organization_key=found.organization_key)
        )
        whole = found.request_type == request_store.ORGANIZATION_EXPORT
        content = self._of_organization(found) if whole else self._of_person(found)
        self._blobs.put(file_name(organization.id, found.id), content)
        self._database.write_now(partial(self._end, request=found, status=S.COMPLETED, error=""))

    def _of_person(self, request: StoredRequest) -> bytes:
        def read(reader: Reader) -> bytes:
            organization = organization_store.organization(reader, request.organization_key)
            return person_data.document(
                reader,
                self._delivery_ids,
                request.organization_key,
                organization.name,
                request.member_key,
                self._clock.now(),
            )

        return self._database.read_now(read)

    def _of_organization(self, request: StoredRequest) -> Iterable[bytes]:
        def page(section: Section, after: Position) -> list[Row]:
            self._engine.checkpoint()
            return self._database.read_now(
                lambda reader: organization_rows.page(
                    reader, section, request.organization_key, after, self._page
                )
            )

        return organization_data.document(page, self._delivery_ids, self._clock.now())

    def expire(self, key: int) -> None:
        """Delete a copy; its request stays listed. Harmless to repeat."""
        found = self._database.read_now(partial(request_store.request_by_key, key=key))
        if found is None:
            return
        organization = self._database.read_now(
            partial(organization_store.organization, organization_key=found.organization_key)
        )
        self._blobs.delete(file_name(organization.id, found.id))

    def is_there(self, request: StoredRequest) -> bool:
        """Tell whether a copy can still be fetched."""
        ended = request.completed_at
        return (
            request.request_type in request_store.EXPORTS
            and request.status == S.COMPLETED
            and ended is not None
            and self._clock.now() < ended + KEPT
        )

    def _end(
        self,
        transaction: Transaction,
        request: StoredRequest,
        status: PrivacyRequestStatus,
        error: str,
    ) -> None:
        facts = write_facts(error=error)
        now = self._clock.now()
        if request_store.finish(transaction, request.key, status, facts, now):
            name = f"expire-person-export/{request.id}"
            task = Task(_EXPIRE, name, (request.key,), Queue.LANES, KEPT)
            self._engine.enqueue(transaction, task)

    def _writing_failed(self, task: Task, error: Exception) -> None:
        del error
        found = self._database.read_now(
            partial(request_store.request_by_key, key=int(task.arguments[0]))
        )
        if found is not None:
            message = "the file could not be written; ask for another export, or tell the operator"
            self._database.write_now(
                partial(self._end, request=found, status=S.FAILED, error=message)
            )


def file_name(organization_id: str, request_id: str) -> str:
    """Return the name of a copy in the blob store, which tells about nobody."""
    return f"{organization_id}/privacy/{request_id}.json"
