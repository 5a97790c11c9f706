"""``pidgr demo``: the story of one campaign, told by real clients to a real server.

It needs nothing prepared and leaves nothing behind: server and database live in a directory of
their own, which is removed at the end.
"""

import asyncio
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from pidgr import operations
from pidgr.clock import HOUR
from pidgr.demo.outcome import OutcomeError, calls_to_try, check, table
from pidgr.demo.people import FIRST_EMAIL, write_csv
from pidgr.demo.screen import Screen
from pidgr.demo.server import USUAL_PORT, DemoServer, choose_port, use_demo_settings
from pidgr.demo.story import Story, StoryError
from pidgr.settings import Settings
from pidgr.system import System

ORGANIZATION: Final = "Example Works"
_ADMIN_EMAIL: Final = "ada@example.com"
_INTERRUPTED: Final = 130


def run_demo(*, port: int | None, people: int, keep_serving: bool) -> int:
    """Tell the story and return the exit status: 0, or 1 when the outcome does not add up.

    Args:
        port: to serve on; None means 8080, or a free one when that is taken.
        people: recipients of the campaign.
        keep_serving: whether to stay until Ctrl-C.

    Raises:
        SetupError: the port is taken, or the server does not start.
    """
    # So that the server is stopped and the directory removed however this process is ended.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    screen = Screen(Console(highlight=False))
    directory = Path(tempfile.mkdtemp(prefix="pidgr-demo-"))
    try:
        chosen = choose_port(port)
        if chosen not in {port, USUAL_PORT}:
            screen.step(f"Port {USUAL_PORT} is taken by another program, so a free one is used")
        use_demo_settings(directory, chosen)
        with DemoServer(directory, screen.say) as server:
            return _run(screen, server, directory, people, keep_serving=keep_serving)
    finally:
        shutil.rmtree(directory)


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _run(
    screen: Screen, server: DemoServer, directory: Path, people: int, *, keep_serving: bool
) -> int:
    try:
        _tell(screen, server.url, directory, people)
        if not keep_serving:
            screen.say("The server stops now; without --exit it stays, and the calls work.")
            return 0
    except (OutcomeError, StoryError) as error:
        screen.say(f"The story went wrong: {error}")
        screen.say(server.last_words())
        return 1
    except KeyboardInterrupt:
        screen.say("Interrupted.")
        return _INTERRUPTED
    screen.say(f"Still serving at {server.url} from {directory}; Ctrl-C ends it.")
    try:
        server.wait()
    except KeyboardInterrupt:
        screen.say("\nThe demo and its data are gone.")
        return 0
    screen.say("The server has ended by itself.")
    screen.say(server.last_words())
    return 1


def _tell(screen: Screen, url: str, directory: Path, people: int) -> None:
    began = time.monotonic()
    screen.step(f"Serving at {url}, on SQLite in {directory}")
    with operations.system_of(Settings()) as system:
        organization = operations.found_organization(system, ORGANIZATION, _ADMIN_EMAIL)
        screen.step(f"Organization {ORGANIZATION!r} founded")
        _import(screen, system, directory / "people.csv", organization["organization_id"], people)
        api_key = organization["api_key"]
        story = Story(
            url,
            api_key,
            screen,
            lambda user_ids: operations.mint_tokens(system, user_ids, HOUR),
        )
        outcome = asyncio.run(story.tell())
    screen.console.print(table(outcome))
    check(outcome, people)
    seconds = time.monotonic() - began
    screen.say(f"It adds up: {people:,} people, {people:,} outcomes, in {seconds:.0f} seconds.\n")
    screen.say(calls_to_try(url, api_key, outcome.campaign_id))
    screen.say(f"Or read it as one of the people, after `make inbox`: {Settings().inbox_url}")
    screen.say(f"Sign in as {FIRST_EMAIL}; the code for it appears here.\n")


def _import(screen: Screen, system: System, file: Path, organization_id: str, people: int) -> None:
    write_csv(file, people)
    with (
        screen.bars({"Members imported": people}) as bars,
        file.open(encoding="utf-8", newline="") as lines,
    ):
        report = operations.import_into(
            system,
            lines,
            organization_id,
            lambda report: bars.set("Members imported", report.inserted),
        )
    if report.inserted != people:
        raise StoryError(f"{report.inserted:,} of {people:,} members were imported")
