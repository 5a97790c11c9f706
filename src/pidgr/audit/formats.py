"""The file formats of an export. Each writer takes pages of entries and yields parts of a file."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from pidgr.audit.reading import Entry
from pidgr.clock import to_datetime
from pidgr.contract.v1.audit_pb import AuditExportFormat

COLUMNS: Final = (
    "id",
    "created_at",
    "event_type",
    "event_class",
    "actor_type",
    "actor_id",
    "entity_type",
    "entity_id",
    "request_id",
    "synthetic",
    "metadata",
)
"""The columns of CSV and Parquet, and the names in JSON."""

Pages = Iterable[Sequence[Entry]]

# What makes a spreadsheet take a cell for a formula (OWASP, CSV injection).
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_parts(pages: Pages) -> Iterator[bytes]:
    """Yield RFC 4180 in UTF-8, with a header."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for page in pages:
        writer.writerows([_cell(value) for value in _fields(entry).values()] for entry in page)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


def json_parts(pages: Pages) -> Iterator[bytes]:
    """Yield one JSON array of objects."""
    start = "["
    for page in pages:
        for entry in page:
            fields = {**_fields(entry), "metadata": entry.facts}
            yield (start + json.dumps(fields, ensure_ascii=False, separators=(",", ":"))).encode()
            start = ",\n"
    yield b"[]\n" if start == "[" else b"]\n"


def parquet_parts(pages: Pages) -> Iterator[bytes]:
    """Yield Apache Parquet, a row group for each page."""
    # Not before it is needed: 100 MB of memory, and not every server has it.
    import pyarrow as pa  # noqa: PLC0415
    from pyarrow import parquet  # noqa: PLC0415

    types = {"created_at": pa.timestamp("us", tz="UTC"), "synthetic": pa.bool_()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    sink = _Parts()
    with parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        for page in pages:
            rows = [
                {**_fields(entry), "created_at": to_datetime(entry.created_at)} for entry in page
            ]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            yield sink.take()
    yield sink.take()


def has_parquet() -> bool:
    """Tell whether the library that writes Parquet is installed."""
    return find_spec("pyarrow") is not None


WRITERS: Final[Mapping[AuditExportFormat, tuple[str, Callable[[Pages], Iterator[bytes]]]]] = {
    AuditExportFormat.CSV: ("csv", csv_parts),
    AuditExportFormat.JSON: ("json", json_parts),
    AuditExportFormat.PARQUET: ("parquet", parquet_parts),
}
"""Of each format its name, which is the ending of a file too, and what writes it."""


class _Parts:
    """A file to write to whose content is taken away part by part."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, part: Any) -> int:  # noqa: ANN401 - whatever is a buffer
        content = bytes(part)
        self._parts.append(content)
        self._size += len(content)
        return len(content)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def close(self) -> None:
        """What is left is taken afterwards."""

    def take(self) -> bytes:
        content = b"".join(self._parts)
        self._parts.clear()
        return content


def _fields(entry: Entry) -> dict[str, object]:
    facts = json.dumps(dict(entry.facts), ensure_ascii=False, separators=(",", ":"))
    return {
        "id": entry.id,
        "created_at": to_datetime(entry.created_at).isoformat().replace("+00:00", "Z"),
        "event_type": entry.event_type.name,
        "event_class": entry.event_class.name,
        "actor_type": entry.actor_type,
        "actor_id": entry.actor_id,
        "entity_type": entry.entity_type,
        "entity_id": entry.entity_id,
        "request_id": entry.request_id,
        "synthetic": entry.synthetic,
        "metadata": facts,
    }


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
