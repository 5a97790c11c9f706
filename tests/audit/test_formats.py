"""The file formats of an export, read back by parsers that are not ours."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from pyarrow import parquet

from pidgr.audit import formats
from pidgr.audit.reading import Entry
from pidgr.contract.v1.audit_pb import AuditEventClass, AuditEventType


def entry(number: int, **facts: str) -> Entry:
    return Entry(
        id=f"id-{number}",
        created_at=1_767_225_600_000_001 + number,
        event_type=AuditEventType.ROLE_CREATED,
        event_class=AuditEventClass.MANAGEMENT,
        actor_type="user",
        actor_id="=1+1",
        entity_type="role",
        entity_id='r, "quoted"\nand long',
        request_id="",
        synthetic=number == 1,
        facts={"name": "Größe 😀", **facts},
        position=(number, 1, number, 0),
    )


PAGES = [[entry(0), entry(1, formula="@SUM(A1)")], [entry(2)]]


def test_csv_has_a_row_for_each_and_no_formula() -> None:
    text = b"".join(formats.csv_parts(iter(PAGES))).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["id"] for row in rows] == ["id-0", "id-1", "id-2"]
    assert rows[0]["created_at"] == "2026-01-01T00:00:00.000001Z"
    assert rows[0]["event_type"] == "ROLE_CREATED"
    assert rows[0]["entity_id"] == entry(0).entity_id
    assert [row["synthetic"] for row in rows] == ["false", "true", "false"]
    assert json.loads(rows[1]["metadata"]) == entry(1, formula="@SUM(A1)").facts
    assert {row["actor_id"] for row in rows} == {"'=1+1"}
    assert not any(cell[:1] in {"=", "+", "-", "@"} for row in rows for cell in row.values())


def test_json_is_one_array() -> None:
    found = json.loads(b"".join(formats.json_parts(iter(PAGES))))
    assert [one["id"] for one in found] == ["id-0", "id-1", "id-2"]
    assert list(found[0]) == list(formats.COLUMNS)
    assert found[1]["metadata"] == entry(1, formula="@SUM(A1)").facts
    assert found[1]["synthetic"] is True


def test_parquet_has_typed_columns() -> None:
    content = b"".join(formats.parquet_parts(iter(PAGES)))
    table = parquet.read_table(io.BytesIO(content))
    assert table.column_names == list(formats.COLUMNS)
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == ["id-0", "id-1", "id-2"]
    assert rows[1]["created_at"] == datetime(2026, 1, 1, microsecond=2, tzinfo=UTC)
    assert [row["synthetic"] for row in rows] == [False, True, False]
    assert json.loads(rows[2]["metadata"]) == entry(2).facts


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_nothing_is_a_file_too(ending: str) -> None:
    parts = dict(formats.WRITERS.values())[ending]
    content = b"".join(parts(iter([])))
    match ending:
        case "csv":
            assert content.decode().splitlines() == [",".join(formats.COLUMNS)]
        case "json":
            assert json.loads(content) == []
        case _:
            assert parquet.read_table(io.BytesIO(content)).num_rows == 0
