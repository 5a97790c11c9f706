from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console
from support.serve_process import ServeProcess
from support.waiting import until

from cli.conftest import Command
from pidgr import diagnosis, operations
from pidgr.clock import HOUR, MINUTE, Clock, ManualClock
from pidgr.contract.v1.common_pb import CampaignStatus, StepType
from pidgr.diagnosis.finding import Finding, Level
from pidgr.engine.port import Task
from pidgr.settings import Settings
from pidgr.storage.database import Database
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Transaction
from pidgr.system import build_system, migrate

TEMPLATE = Statement("""
    insert into template (id, organization_key, name, type, latest_version)
    values ('t', :organization, 'Policy', 1, 1) returning key
""")
CAMPAIGN = Statement("""
    insert into campaign
      (id, organization_key, template_key, template_version, status, created_at, started_at,
       next_wake_at)
    values ('the-campaign', :organization, :template, 1, :running, :now, :now, :next_wake_at)
    returning key
""")
STEP_RUN = Statement("""
    insert into step_run (campaign_key, organization_key, step_id, iteration, step_type, started_at)
    values (:campaign, :organization, 'send', 0, :send, :since) returning key
""")
LANE = Statement("""
    insert into lane
      (step_run_key, number, base_run_key, low, high, written_upto, pushed_upto, moved_at)
    values (:run, 0, :run, 0, 10, :written, 3, :since)
""")
HELD = Statement("""
    insert into held_push
      (step_run_key, ordinal, pushing_run_key, organization_key, held_at, due_at)
    values (:run, :ordinal, :run, :organization, :since, :due)
""")
ORGANIZATION = Statement("select key from organization")


def problems(findings: list[Finding]) -> dict[str, str]:
    return {one.check: one.message for one in findings if one.level is Level.PROBLEM}


@pytest.fixture
def database(
    database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    """A healthy installation with one organization, found through the environment."""
    monkeypatch.setenv("PIDGR_DATA_DIR", str(data_dir))
    monkeypatch.setenv("PIDGR_DATABASE_URL", database_url)
    opened = Database(database_url)
    migrate(opened)
    operations.create_organization(Settings(), "Acme", "ada@example.com")
    yield opened
    opened.close()


def start_campaign(transaction: Transaction, now: int, next_wake_at: int) -> int:
    organization = transaction.value(ORGANIZATION)
    key: int = transaction.value(
        CAMPAIGN,
        {
            "organization": organization,
            "template": transaction.value(TEMPLATE, {"organization": organization}),
            "running": CampaignStatus.RUNNING,
            "now": now,
            "next_wake_at": next_wake_at,
        },
    )
    return key


def test_a_healthy_installation_passes(database: Database) -> None:
    findings = diagnosis.examine()
    assert diagnosis.is_healthy(findings)
    assert [one.check for one in findings if one.level is Level.OK] == [
        "settings",
        "database",
        "migrations",
        "clock",
        "keys",
        "blobs",
        "pushes",
    ]
    assert database.dialect[:6].lower() in next(
        one.message.lower() for one in findings if one.check == "database"
    )


def test_running_campaigns_need_a_process(database: Database) -> None:
    now = Clock().now()
    database.write_now(lambda transaction: start_campaign(transaction, now, now + HOUR))
    assert problems(diagnosis.examine()) == {"engine": "no process is at work; running: 1 campaign"}


def test_a_process_at_work_is_seen(database: Database) -> None:
    system = build_system(Settings(), run_handlers=True)
    system.engine.start()
    try:
        (alive,) = (one for one in diagnosis.examine() if one.check == "engine")
        assert (alive.level, alive.message) == (
            Level.OK,
            "a process is at work; running: 0 campaigns",
        )
    finally:
        system.close()
    assert database is not None


def test_campaigns_that_overslept_are_found(database: Database) -> None:
    now = Clock().now()
    database.write_now(
        lambda transaction: start_campaign(transaction, now - HOUR, now - 10 * MINUTE)
    )
    found = problems(diagnosis.examine())
    # For so long and the moments since.
    assert found["engine"].startswith("1 campaign should have woken up: the-campaign for 0:10:")


def begin_send(
    transaction: Transaction, *, written: int, held: Sequence[tuple[int, int]] = ()
) -> None:
    """Leave a send of ten deliveries alone for an hour, with pushes held until some moments."""
    since = Clock().now() - HOUR
    values: dict[str, object] = {
        "campaign": start_campaign(transaction, since, since + 2 * HOUR),
        "organization": transaction.value(ORGANIZATION),
        "send": StepType.SEND_NOTIFICATION,
        "since": since,
        "written": written,
    }
    values["run"] = transaction.value(STEP_RUN, values)
    transaction.execute(LANE, values)
    for ordinal, due in held:
        transaction.execute(HELD, {**values, "ordinal": ordinal, "due": due})


def test_lanes_that_stand_still_are_found(database: Database) -> None:
    database.write_now(lambda transaction: begin_send(transaction, written=5))
    found = problems(diagnosis.examine())
    assert found["engine"].startswith("1 campaign stopped sending: the-campaign for 1:00:")
    assert "pushes" not in found


def test_pushes_that_no_provider_takes_are_found(database: Database) -> None:
    database.write_now(lambda transaction: begin_send(transaction, written=10))
    found = problems(diagnosis.examine())
    assert found["pushes"].startswith("no push provider has taken 7 pushes: the-campaign for 1:00:")
    assert "stopped sending" not in found["engine"]


def test_pushes_that_were_to_go_out_in_the_morning_are_found(database: Database) -> None:
    now = Clock().now()
    late, early = now - 30 * MINUTE, now + MINUTE
    held = [(0, late), (1, late), (2, early), (3, now - MINUTE)]
    database.write_now(lambda transaction: begin_send(transaction, written=10, held=held))
    finish = Statement("update lane set finished = true")
    database.write_now(lambda transaction: transaction.execute(finish))
    found = problems(diagnosis.examine())
    assert found["pushes"].startswith(
        "held back until now, and nobody has taken 2 pushes: the-campaign for 0:30:"
    )
    settle = Statement("update held_push set settled_at = due_at")
    database.write_now(lambda transaction: transaction.execute(settle))
    assert "pushes" not in problems(diagnosis.examine())


def test_tasks_that_failed_are_found(database: Database) -> None:
    system = build_system(Settings(), run_handlers=True)

    def fail() -> None:
        message = "a defect"
        raise ValueError(message)

    system.engine.register("test.fail", fail)
    system.engine.start()
    system.database.write_now(
        lambda transaction: system.engine.enqueue(transaction, Task("test.fail", "broken"))
    )
    table = "workflow_status" if database.dialect == "sqlite" else "dbos.workflow_status"
    until(lambda: system.engine.status("broken") == "waiting")
    # The pauses between the attempts are minutes; the last one is not waited for.
    system.close()
    give_up = Statement(f"update {table} set status = 'ERROR' where workflow_uuid = 'broken'")
    database.write_now(lambda transaction: transaction.execute(give_up))
    found = problems(diagnosis.examine())
    assert found["engine"] == "1 task failed for good in the last day: broken"


def test_a_clock_that_went_back_is_found(database: Database) -> None:
    found = problems(diagnosis.examine(ManualClock(Clock().now() - HOUR)))
    assert found["clock"].endswith("1:00:00 ahead of this machine's clock")
    assert database is not None


def test_another_master_key_is_found(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIDGR_MASTER_KEY", "another key, which is long enough")
    assert problems(diagnosis.examine()).keys() == {"keys"}
    assert database is not None


def test_a_lost_master_key_is_found_and_not_made_anew(database: Database, data_dir: Path) -> None:
    (data_dir / "master.key").unlink()
    assert "is missing" in problems(diagnosis.examine())["keys"]
    assert not (data_dir / "master.key").exists()
    assert database is not None


def test_a_master_key_that_others_can_read_is_found(database: Database, data_dir: Path) -> None:
    (data_dir / "master.key").chmod(0o644)
    assert "others can read" in problems(diagnosis.examine())["keys"]
    assert database is not None


def test_a_place_for_files_is_tried_and_left_as_it_was(database: Database, data_dir: Path) -> None:
    folder = data_dir / "blobs"
    (before,) = (one.message for one in diagnosis.examine() if one.check == "blobs")
    assert before.endswith("comes with the first picture or recording")
    assert not folder.exists()
    folder.mkdir()
    (after,) = (one.message for one in diagnosis.examine() if one.check == "blobs")
    assert after == f"{folder} keeps files and returns them"
    assert not [path for path in folder.rglob("*") if path.is_file()]
    assert database is not None


def test_a_place_that_cannot_keep_files_is_found(database: Database, data_dir: Path) -> None:
    (data_dir / "blobs").write_text("no directory")
    found = problems(diagnosis.examine())
    assert found.keys() == {"blobs"}
    assert "Not a directory" in found["blobs"]
    assert database is not None


def test_missing_migrations_are_found(
    database_url: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIDGR_DATA_DIR", str(data_dir))
    monkeypatch.setenv("PIDGR_DATABASE_URL", database_url)
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).touch()
    findings = diagnosis.examine()
    assert problems(findings).keys() == {"migrations"}
    assert findings[-1].advice == "run `pidgr migrate`"


def test_a_slip_of_the_pen_is_noticed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIDGR_PROT", "8080")
    monkeypatch.setenv("PIDGR_MASTER_KEY_FILE", "")
    noticed = [one.message for one in diagnosis.examine() if one.level is Level.NOTICE]
    assert noticed[0] == "no such setting: PIDGR_PROT"
    assert database is not None


def test_every_problem_is_shown_with_what_to_do(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIDGR_MASTER_KEY", "another key, which is long enough")
    console = Console(record=True, width=80)
    diagnosis.show(diagnosis.examine(), console)
    text = console.export_text()
    assert "problem  keys" in text
    assert "-> give the key that was in use" in text
    assert text.endswith("1 to be put right.\n")
    assert database is not None


def test_the_command_beside_a_server_is_healthy(pidgr: Command, data_dir: Path) -> None:
    with ServeProcess(data_dir):
        answer = pidgr("doctor", "--json")
        assert (answer.status, answer.err) == (0, "")
        report: dict[str, Any] = answer.json
    assert report["healthy"] is True
    assert {one["level"] for one in report["findings"]} == {"ok"}


def test_the_command_without_a_database_is_not(pidgr: Command, data_dir: Path) -> None:
    answer = pidgr("doctor")
    assert answer.status == 1
    assert "there is no database at" in answer.out
    assert not list(data_dir.iterdir())


@pytest.mark.parametrize(
    ("settings", "check"),
    [
        ({"database_url": "postgresql://127.0.0.1:1/pidgr"}, "database"),
        ({"database_url": "nonsense"}, "settings"),
        ({"port": "many"}, "settings"),
    ],
)
def test_the_command_reports_what_keeps_it_from_looking(
    pidgr: Command, settings: dict[str, str], check: str
) -> None:
    answer = pidgr("doctor", "--json", **settings)
    assert answer.status == 1
    last = answer.json["findings"][-1]
    assert (last["check"], last["level"]) == (check, "problem")
    assert last["advice"]


def test_a_file_of_something_else_is_found(pidgr: Command, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database\n" * 100)
    answer = pidgr("doctor", "--json", database_url=f"sqlite:///{file}")
    assert answer.json["findings"][-1]["message"] == "the database's file is not one of SQLite's"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("owns", [False, True])
def test_a_user_who_may_write_and_not_add_partitions_is_found(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch, *, owns: bool
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        owner = connection.execute("select current_user").fetchone()
        assert owner is not None
        connection.execute("drop role if exists clerk")
        connection.execute("create role clerk login")
        connection.execute("grant all on schema public, dbos to clerk")
        for schema in ("public", "dbos"):
            connection.execute(f"grant all on all tables in schema {schema} to clerk")
            connection.execute(f"grant all on all sequences in schema {schema} to clerk")
        if owns:
            connection.execute(f'grant "{owner[0]}" to clerk')
    url = database.url.set(drivername="postgresql", username="clerk")
    monkeypatch.setenv("PIDGR_DATABASE_URL", url.render_as_string(hide_password=False))

    found = problems(diagnosis.examine())

    assert found == (
        {}
        if owns
        else {
            "migrations": "the database's user does not own the tables, so deliveries get no more"
            " partitions"
        }
    )
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("drop owned by clerk")
        connection.execute("drop role clerk")


def test_the_password_of_the_database_is_not_shown(pidgr: Command, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        host = connection.info.host
    url = f"postgresql://nobody:secret@/pidgr?host={host}"
    answer = pidgr("doctor", database_url=url)
    assert answer.status == 1
    assert "secret" not in answer.out + answer.err
