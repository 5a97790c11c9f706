import threading
from pathlib import Path

import pytest
import sqlalchemy
from alembic.script import ScriptDirectory
from support.waiting import at_once

from pidgr.storage import migration, migrations
from pidgr.storage.database import Database, create_engine, normalise_url
from pidgr.storage.schema import metadata
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction
from pidgr.system import migrate as migrate_everything

_TABLES = Statement(
    "select name from sqlite_master where type = 'table' order by name",
    postgresql="select tablename from pg_tables where schemaname = 'public' order by tablename",
)
_COLLATION = Statement(
    "select 'C'",
    postgresql="""
    select collation_name from information_schema.columns
    where table_name = 'member' and column_name = 'sort_name'
    """,
)

_ADDRESSES_FOLDED_TOO_FAR = (
    Statement("""
        insert into organization
          (key, id, name, name_folded, org_type, default_workflow, analytics_salt, created_at)
        values (1, 'o', 'Acme', 'acme', 1, '{}', '', 1)
    """),
    Statement("""
        insert into role (key, id, organization_key, slug, name, permissions, created_at)
        values (1, 'r', 1, 'employee', 'Employee', '', 1)
    """),
    Statement("""
        insert into identity (subject, email_folded, created_at)
        values ('weiß', 'ada@weiss.example', 1), ('plain', 'bob@weiss.example', 1)
    """),
    Statement("""
        insert into member
          (key, id, organization_key, subject, email, email_folded, name, sort_name, status,
           role_key, created_at)
        values
          (1, 'ada', 1, 'weiß', 'Ada@Weiß.example', 'ada@weiss.example', 'Ada', 'ada', 2, 1, 1),
          (2, 'bob', 1, 'plain', 'Bob@weiss.example', 'bob@weiss.example', 'Bob', 'bob', 2, 1, 1)
    """),
    Statement("""
        insert into scim_user (member_key, organization_key, user_name, user_name_folded)
        values (1, 1, 'Ada@Weiß.example', 'ada@weiss.example'), (2, 1, 'Bob', 'bob')
    """),
)


def tables(database: Database) -> set[str]:
    return {name for (name,) in database.read_now(lambda reader: reader.rows(_TABLES))}


def test_the_migrated_schema_is_the_declared_one(database: Database) -> None:
    assert migration.pending(database)
    migration.migrate(database)
    assert not migration.pending(database)
    assert migration.drift(database) == []
    assert metadata.tables.keys() <= tables(database)


def test_files_of_revisions_are_named_by_their_number() -> None:
    """``pending`` goes by the names, so as not to import what they take to run."""
    folder = Path(migrations.__file__).parent
    revisions = list(ScriptDirectory(str(folder)).walk_revisions())
    names = [Path(revision.path).name[:5] for revision in revisions]
    assert names == [f"v{revision.revision}" for revision in revisions]
    assert names == sorted(names, reverse=True)


def test_migrating_again_changes_nothing_and_keeps_the_rows(database: Database) -> None:
    migrate_everything(database)
    add = Statement("insert into system_value (name, value) values ('kept', :value)")
    database.write_now(lambda transaction: transaction.execute(add, {"value": b"\x00\xff"}))
    before = tables(database)
    migrate_everything(database)
    assert tables(database) == before
    found = Statement("select value from system_value where name = 'kept'")
    assert database.read_now(lambda reader: bytes(reader.value(found))) == b"\x00\xff"
    assert migration.drift(database) == []


def test_migrators_at_once_do_not_disturb_each_other(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(4)]
    waiting = iter(databases)
    lock = threading.Lock()

    def run() -> None:
        with lock:
            own = next(waiting)
        migrate_everything(own)

    at_once(len(databases), run)
    assert not migration.pending(databases[0])
    assert migration.drift(databases[0]) == []
    for database in databases:
        database.close()


def test_a_new_file_is_opened_by_many_at_once(tmp_path: Path) -> None:
    for number in range(20):
        url = normalise_url(f"sqlite:///{tmp_path / str(number)}.sqlite3")
        opened: list[object] = []

        def run(url: sqlalchemy.URL = url, opened: list[object] = opened) -> None:
            engine = create_engine(url)
            with engine.connect() as connection:
                opened.append(connection.exec_driver_sql("pragma journal_mode").scalar())
            engine.dispose()

        at_once(8, run)
        assert opened == ["wal"] * 8


def test_addresses_that_were_folded_too_far_are_folded_anew(database: Database) -> None:
    migration.migrate(database, "0024")

    def fill(unit: Transaction) -> None:
        for statement in _ADDRESSES_FOLDED_TOO_FAR:
            unit.execute(statement)

    database.write_now(fill)
    migration.migrate(database)
    members = Statement("""
        select m.email_folded, i.email_folded, s.user_name_folded
        from member m join identity i on i.subject = m.subject
        join scim_user s on s.member_key = m.key order by m.key
    """)
    assert database.read_now(lambda reader: reader.rows(members)) == [
        ("ada@weiß.example",) * 3,
        ("bob@weiss.example", "bob@weiss.example", "bob"),
    ]


def test_numbers_given_out_before_are_given_to_no_other_row(database: Database) -> None:
    migration.migrate(database, "0027")

    def fill(unit: Transaction) -> None:
        for statement in _ADDRESSES_FOLDED_TOO_FAR:
            unit.execute(statement)
        # As the engine makes it; the revision looks for the name.
        unit.execute(Statement("create table workflow_status (workflow_uuid text)"))

    database.write_now(fill)
    if database.dialect == "postgresql":
        # The rows above have chosen their numbers themselves.
        follow = Statement("select setval(pg_get_serial_sequence('role', 'key'), 1)")
        database.write_now(lambda unit: unit.execute(follow))
    migration.migrate(database)
    add = Statement("""
        insert into role (id, organization_key, slug, name, permissions, created_at)
        values ('s', 1, 'other', 'Other', '', 1) returning key
    """)
    first = database.write_now(lambda unit: unit.value(add))
    assert first > (1_000_000 if database.dialect == "sqlite" else 1)
    database.write_now(lambda unit: unit.execute(Statement("delete from role where id = 's'")))
    assert database.write_now(lambda unit: unit.value(add)) > first
    everyone = Statement(
        "select m.id, r.slug from member m join role r on r.key = m.role_key order by m.id"
    )
    assert database.read_now(lambda reader: reader.rows(everyone)) == [
        ("ada", "employee"),
        ("bob", "employee"),
    ]


def test_every_numbered_table_of_sqlite_keeps_its_numbers(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'pidgr.sqlite3'}")
    migration.migrate(database)
    forgetful = Statement("""
        select name from sqlite_master where type = 'table' and sql not like '%AUTOINCREMENT%'
    """)
    found = {name for (name,) in database.read_now(lambda reader: reader.rows(forgetful))}
    assert not [name for name in found & metadata.tables.keys() if "key" in metadata.tables[name].c]
    problems = Statement("select * from pragma_integrity_check")
    assert database.read_now(lambda reader: reader.rows(problems)) == [("ok",)]
    database.close()


def test_a_failed_migration_leaves_nothing_behind(database: Database) -> None:
    in_the_way = Statement("create table device (name text)")
    database.write_now(lambda transaction: transaction.execute(in_the_way))
    with pytest.raises(sqlalchemy.exc.DatabaseError):
        migration.migrate(database)
    assert tables(database) == {"device"}
    database.write_now(lambda transaction: transaction.execute(Statement("drop table device")))
    migration.migrate(database)
    assert migration.drift(database) == []


def test_drift_is_noticed(database: Database) -> None:
    migration.migrate(database)
    database.write_now(
        lambda transaction: transaction.execute(Statement("alter table member drop column phone"))
    )
    assert "phone" in str(migration.drift(database))


def test_names_are_ordered_by_code_point_whatever_the_locale(database: Database) -> None:
    migration.migrate(database)

    def ordered(reader: Reader) -> object:
        return reader.value(_COLLATION)

    assert database.read_now(ordered) == "C"


def test_a_path_may_hold_what_urls_and_settings_find_special(tmp_path: Path) -> None:
    directory = tmp_path / "100% [a] b+c"
    directory.mkdir()
    database = Database(f"sqlite:///{directory / 'pidgr.sqlite3'}")
    migration.migrate(database)
    assert not migration.pending(database)
    database.close()
