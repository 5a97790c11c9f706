"""SQL of recordings. Nothing in a row tells whose it is."""

from dataclasses import dataclass
from typing import Final

from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction


@dataclass(frozen=True, slots=True)
class NewRecording:
    """What to store of a recording that begins; ``campaign_key`` is 0 where no message was open."""

    id: str
    organization_key: int
    digest: bytes
    campaign_key: int
    started_at: int


@dataclass(frozen=True, slots=True)
class OpenRecording:
    """A recording that its client goes on with.

    ``first_at`` and ``last_at`` are milliseconds of the client's clock, ``size`` bytes of JSON.
    """

    key: int
    id: str
    organization_id: str
    next_batch: int
    size: int
    first_at: int
    last_at: int
    interactions: int


@dataclass(frozen=True, slots=True)
class ListedRecording:
    """A recording in a list. ``started_at`` is the server's, in microseconds."""

    key: int
    id: str
    started_at: int
    first_at: int
    last_at: int
    interactions: int


@dataclass(frozen=True, slots=True)
class Span:
    """Which recordings to list: their campaign (None: any) and when they started, inclusive."""

    organization_key: int
    campaign_key: int | None
    start: int
    end: int


_INSERT: Final = Statement("""
    insert into recording (id, organization_key, digest, campaign_key, started_at)
    values (:id, :organization_key, :digest, :campaign_key, :started_at)
    returning key
""")
_OPEN: Final = Statement("""
    select r.key, r.id, o.id, r.next_batch, r.size, r.first_at, r.last_at, r.interactions
    from recording r join organization o on o.key = r.organization_key
    where r.organization_key = :organization_key and r.digest = :digest
""")
_ADVANCE: Final = Statement("""
    update recording
    set next_batch = next_batch + 1, size = :size, first_at = :first_at, last_at = :last_at,
        interactions = :interactions
    where key = :key and next_batch = :batch
""")
_SPAN: Final = """
    organization_key = :organization_key and next_batch > 0
    and started_at between :start and :end
"""
_OF_CAMPAIGN: Final = "and campaign_key = :campaign_key"
_COLUMNS: Final = "select key, id, started_at, first_at, last_at, interactions from recording"
_AFTER: Final = """
    and (started_at, key) < (:at, :key) order by started_at desc, key desc limit :limit
"""
_PAGE: Final = Statement(f"{_COLUMNS} where {_SPAN} {_AFTER}")
_PAGE_OF_CAMPAIGN: Final = Statement(f"{_COLUMNS} where {_SPAN} {_OF_CAMPAIGN} {_AFTER}")
_COUNT: Final = Statement(f"select count(*) from recording where {_SPAN}")
_COUNT_OF_CAMPAIGN: Final = Statement(
    f"select count(*) from recording where {_SPAN} {_OF_CAMPAIGN}"
)
_BATCHES: Final = Statement("""
    select next_batch from recording
    where organization_key = :organization_key and id = :id and next_batch > 0
""")
_FOLDER: Final = Statement("""
    select o.id, r.id from recording r join organization o on o.key = r.organization_key
    where r.key = :key
""")
_DELETE: Final = Statement("delete from recording where key = :key")


def insert(transaction: Transaction, recording: NewRecording) -> int:
    """Store a recording without any events yet, and return its key."""
    values = {name: getattr(recording, name) for name in NewRecording.__slots__}
    key: int = transaction.value(_INSERT, values)
    return key


def open_recording(reader: Reader, organization_key: int, digest: bytes) -> OpenRecording | None:
    """Return the recording of a token."""
    parameters = {"organization_key": organization_key, "digest": digest}
    return reader.record(OpenRecording, _OPEN, parameters)


def advance(transaction: Transaction, recording: OpenRecording) -> bool:
    """Note a recording's next batch; False when somebody else has noted one meanwhile.

    ``next_batch`` of the argument is the number of the batch, the other fields are new.
    """
    parameters = {
        "key": recording.key,
        "batch": recording.next_batch,
        "size": recording.size,
        "first_at": recording.first_at,
        "last_at": recording.last_at,
        "interactions": recording.interactions,
    }
    return transaction.execute(_ADVANCE, parameters) == 1


def recordings(
    reader: Reader, span: Span, before: tuple[int, int], limit: int
) -> list[ListedRecording]:
    """Return recordings that started before a position, newest first."""
    statement = _PAGE if span.campaign_key is None else _PAGE_OF_CAMPAIGN
    parameters = {**_of(span), "at": before[0], "key": before[1], "limit": limit}
    return reader.records(ListedRecording, statement, parameters)


def count(reader: Reader, span: Span) -> int:
    """Return how many there are."""
    statement = _COUNT if span.campaign_key is None else _COUNT_OF_CAMPAIGN
    found: int = reader.value(statement, _of(span))
    return found


def batches(reader: Reader, organization_key: int, recording_id: str) -> int | None:
    """Return how many batches a recording has; None when there is no such recording."""
    parameters = {"organization_key": organization_key, "id": recording_id}
    found: int | None = reader.value(_BATCHES, parameters)
    return found


def folder(reader: Reader, key: int) -> tuple[str, str] | None:
    """Return the ids of a recording's organization and of itself."""
    return reader.row(_FOLDER, {"key": key})


def delete(transaction: Transaction, key: int) -> None:
    """Forget a recording."""
    transaction.execute(_DELETE, {"key": key})


def _of(span: Span) -> dict[str, object]:
    parameters: dict[str, object] = {
        "organization_key": span.organization_key,
        "start": span.start,
        "end": span.end,
    }
    if span.campaign_key is not None:
        parameters["campaign_key"] = span.campaign_key
    return parameters
