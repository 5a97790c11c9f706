import asyncio
import dataclasses
import io
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from support.running import running
from support.waiting import until

from cli.conftest import PIDGR, Command
from pidgr import operations
from pidgr.campaigns import store
from pidgr.campaigns.advance import wake_key
from pidgr.clock import HOUR
from pidgr.contract.v1.common_pb import DeliveryStatus
from pidgr.demo.outcome import Outcome, OutcomeError, calls_to_try, check, table
from pidgr.demo.people import FIRST_EMAIL, write_csv
from pidgr.demo.screen import Screen
from pidgr.demo.story import Story, StoryError
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader
from pidgr.system import System

KEY = Statement("select key from campaign")


def tell(tmp_path: Path, people: int, confirming: int) -> tuple[Outcome, str]:
    """Tell the story in this process, with a deadline that is over when all have confirmed."""
    with running(tmp_path) as installation:
        system = installation.system
        organization = installation.found()
        file = tmp_path / "people.csv"
        write_csv(file, people)
        with file.open(encoding="utf-8", newline="") as lines:
            operations.import_into(system, lines, organization.id)
        text = io.StringIO()
        story = Story(
            installation.url,
            organization.api_key,
            Screen(Console(file=text, width=100)),
            lambda user_ids: operations.mint_tokens(system, user_ids, HOUR),
            answering_seconds=0.5,
        )
        with ThreadPoolExecutor(1) as pool:
            told = pool.submit(lambda: asyncio.run(story.tell()))
            until(lambda: told.done() or _acknowledged(system) == confirming)
            _pass_deadline(system)
            return told.result(60), text.getvalue()


def _pass_deadline(system: System) -> None:
    key = system.database.read_now(lambda reader: reader.value(KEY))
    system.database.write_now(
        lambda transaction: system.engine.move(transaction, wake_key(key, "deadline"), 0)
    )


def _acknowledged(system: System) -> int:
    def look(reader: Reader) -> int:
        key = reader.value(KEY)
        counters = store.counters(reader, [key]) if key is not None else {}
        return sum(found.acknowledged for found in counters.values())

    return system.database.read_now(look)


def test_the_story_adds_up(tmp_path: Path) -> None:
    outcome, text = tell(tmp_path, people=100, confirming=52)
    check(outcome, 100)
    assert outcome.statuses == {
        DeliveryStatus.ACKNOWLEDGED: 52,
        DeliveryStatus.MISSED: 42,
        DeliveryStatus.NO_DEVICE: 6,
    }
    assert "devices registered 94 of 94" in text
    assert "confirmed 52 of 52" in text


GOOD = Outcome(
    campaign_id="c",
    without_device=1,
    opened=3,
    read=3,
    confirmed=2,
    statuses={
        DeliveryStatus.ACKNOWLEDGED: 2,
        DeliveryStatus.MISSED: 7,
        DeliveryStatus.NO_DEVICE: 1,
    },
    delivered_at=3,
    read_at=3,
    total_recipients=10,
    action_completed_count=2,
    missed_count=7,
)


@pytest.mark.parametrize(
    "change",
    [
        {"statuses": {**GOOD.statuses, DeliveryStatus.MISSED: 6}},
        {"statuses": {**GOOD.statuses, DeliveryStatus.MISSED: 6, DeliveryStatus.SENT: 1}},
        {"total_recipients": 9},
        {"action_completed_count": 3},
        {"missed_count": 8},
        {"confirmed": 3},
        {"without_device": 2},
        {"delivered_at": 4},
        {"read_at": 2},
    ],
)
def test_an_outcome_that_does_not_add_up_is_refused(change: dict[str, Any]) -> None:
    check(GOOD, 10)
    with pytest.raises(OutcomeError):
        check(dataclasses.replace(GOOD, **change), 10)


def test_the_table_shows_every_outcome() -> None:
    console = Console(record=True, width=80)
    console.print(table(GOOD))
    text = console.export_text()
    assert "missed the deadline │      7 │ 70.0%" in text
    assert "all                 │     10 │ 100 %" in text


def test_a_server_that_refuses_ends_the_story(tmp_path: Path) -> None:
    with running(tmp_path) as installation:
        story = Story(installation.url, "pidgr_k_unknown", Screen(Console(quiet=True)), iter)
        with pytest.raises(StoryError, match="UNAUTHENTICATED"):
            asyncio.run(story.tell())


def test_the_person_to_sign_in_as_is_one_of_them(tmp_path: Path) -> None:
    write_csv(tmp_path / "people.csv", 1)
    assert (tmp_path / "people.csv").read_text().splitlines()[1].startswith(f"{FIRST_EMAIL},")


def test_the_calls_to_try_work_as_printed(tmp_path: Path) -> None:
    with running(tmp_path) as installation:
        organization = installation.found()
        text = calls_to_try(installation.url, organization.api_key, "no-uuid")
        commands = text.split("\n\n")
        by_post, by_get = (part for part in commands if part.startswith("curl"))
        posted = subprocess.run(["bash", "-c", by_post], capture_output=True, text=True, check=True)
        assert posted.stdout == '{"paginationMeta":{}}'
        fetched = subprocess.run(["bash", "-c", by_get], capture_output=True, text=True, check=True)
        assert "campaign_id: must be a UUID" in fetched.stdout


def demo_process(environment: dict[str, str], tmp_path: Path) -> "subprocess.Popen[str]":
    # A child inherits an ignored signal, as background jobs of a shell have it, but no handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [*PIDGR, "demo", "--people", "20"],
            env={**environment, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_leaves_nothing_behind(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with demo_process(environment, tmp_path) as process:
        assert process.stdout is not None
        serving = next(line for line in process.stdout if "Serving at" in line)
        address = serving.partition("http://")[2].partition(",")[0]
        assert int(address.partition(":")[2]) > 0
        assert any("campaign created" in line for line in process.stdout)
        process.send_signal(number)
        assert process.wait(60) == status
    assert not list(tmp_path.glob("pidgr-demo-*"))
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        assert probe.connect_ex((host, int(port))) != 0


def test_a_wanted_port_that_is_taken_is_one_sentence(pidgr: Command) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = pidgr("demo", "--port", str(port))
    assert answer.sentence() == f"port {port} is taken by another program: give another --port"
