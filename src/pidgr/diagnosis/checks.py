"""The checks, each from what it needs to what it found."""

import os
import stat
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import pysqlite3.dbapi2 as sqlite

from pidgr.clock import DAY, MINUTE, SECOND, Clock
from pidgr.contract.v1.common_pb import CampaignStatus
from pidgr.diagnosis import store
from pidgr.diagnosis.finding import Finding, notice, ok, problem
from pidgr.diagnosis.store import Unanswered, Waiting
from pidgr.engine import health
from pidgr.engine.schema import verify as verify_engine
from pidgr.errors import FailedPreconditionError, SetupError, UnavailableError
from pidgr.identity import store as identity_store
from pidgr.identity.tokens import TokenSigner
from pidgr.operations import check_settings
from pidgr.secrets import MasterKeyError, find_master_key, master_key_file
from pidgr.settings import PREFIX, Settings
from pidgr.storage import migration
from pidgr.storage.blobs import BlobMissingError, FileBlobs, build_blobs
from pidgr.storage.database import Database

_OLDEST_POSTGRESQL: Final = 150_000
# Older ones can lose commits when a log is reset while another connection reads.
_OLDEST_SQLITE: Final = (3, 51, 3)
# Tokens are accepted with five seconds between two machines' clocks.
_CLOCK_TOLERANCE: Final = 5 * SECOND
# Timers start up to 1.3 seconds late, and a restart takes a while.
_OVERDUE_AFTER: Final = 3 * MINUTE
# A push provider that is away is asked again every minute; a defect waits ten for the last attempt.
_STUCK_AFTER: Final = 15 * MINUTE
_FAILED_WITHIN: Final = DAY
_NAMED: Final = 3
_PROBE: Final = b"pidgr doctor was here\n"

_CONFIGURATION: Final = "docs/reference/configuration.md"


def settings(values: Settings) -> Iterator[Finding]:
    """Look for settings that contradict each other or do nothing."""
    try:
        check_settings(values)
    except SetupError as error:
        yield problem("settings", str(error), f"{_CONFIGURATION} tells what each setting means")
    except OSError as error:
        yield problem("settings", f"{error.filename}: {error.strerror}", "give a readable file")
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(
        name
        for name in os.environ
        if name.startswith(PREFIX) and name.removesuffix("_FILE") not in known
    )
    if unknown:
        yield notice(
            "settings",
            f"no such setting: {', '.join(unknown)}",
            f"look for a slip of the pen; {_CONFIGURATION} lists all of them",
        )
    yield ok("settings", f"data directory {values.data_dir.resolve()}")


def database(opened: Database) -> Iterator[Finding]:
    """Look whether the database answers and is not too old. Raises what the driver raises."""
    if opened.dialect == "postgresql":
        number = opened.read_now(store.server_version)
        name = f"PostgreSQL {number // 10_000}.{number % 10_000}"
        if number < _OLDEST_POSTGRESQL:
            yield problem("database", f"{name} is too old", "use PostgreSQL 15 or newer")
            return
        yield ok("database", f"{name} answers")
        return
    name = f"SQLite {sqlite.sqlite_version}"
    if sqlite.sqlite_version_info < _OLDEST_SQLITE:
        yield problem(
            "database",
            f"{name} has a defect that can lose commits",
            "run `make setup`, which installs pysqlite3 with SQLite 3.51.3 or newer",
        )
    yield from _sqlite_file(opened, name)


def _sqlite_file(opened: Database, name: str) -> Iterator[Finding]:
    file = Path(str(opened.url.database))
    if not file.exists():
        yield problem(
            "database",
            f"there is no database at {file}",
            "`pidgr serve` makes one; if there should be one, look at PIDGR_DATA_DIR and "
            "PIDGR_DATABASE_URL",
        )
    elif not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK)):
        yield problem(
            "database",
            f"{file} cannot be written by this user",
            "give the file and its directory to the user who runs Pidgr",
        )
    else:
        opened.engine.connect().close()
        yield ok("database", f"{name}, {file}, {file.stat().st_size / 1e6:,.1f} MB")


def migrations(opened: Database) -> Iterator[Finding]:
    """Look whether our tables and the engine's are this version's."""
    try:
        if migration.pending(opened):
            message = "the tables are missing or of an older version"
            yield problem("migrations", message, "run `pidgr migrate`")
            return
        verify_engine(opened)
    except FailedPreconditionError as error:
        yield problem("migrations", str(error), "run `pidgr migrate` of the newest version in use")
        return
    if not opened.read_now(store.may_add_partitions):
        yield problem(
            "migrations",
            "the database's user does not own the tables, so deliveries get no more partitions",
            "run Pidgr as the user who owns them: docs/how-to/run-on-postgresql.md",
        )
        return
    yield ok("migrations", "all applied")


def clock(opened: Database, ours: Clock) -> Iterator[Finding]:
    """Compare this machine's time with the database server's, or with what is stored."""
    if opened.dialect == "postgresql":
        before = ours.now()
        theirs = opened.read_now(store.server_time)
        difference = theirs - (before + ours.now()) // 2
        what = "the database server's clock"
        wrong = abs(difference) > _CLOCK_TOLERANCE
    else:
        difference = (opened.read_now(store.newest_time) or 0) - ours.now()
        what = "the newest stored time"
        wrong = difference > _CLOCK_TOLERANCE
    if wrong:
        direction = "ahead of" if difference > 0 else "behind"
        yield problem(
            "clock",
            f"{what} is {_duration(abs(difference))} {direction} this machine's clock",
            "let a time service set the clock of every machine (chrony, systemd-timesyncd)",
        )
        return
    yield ok("clock", f"agrees with {what}")


def keys(values: Settings, opened: Database, ours: Clock) -> Iterator[Finding]:
    """Look whether the master key is there, safe, and opens the signing keys."""
    file = master_key_file(values)
    stored = len(opened.read_now(identity_store.signing_keys))
    try:
        master_key = find_master_key(values)
        if master_key is None:
            yield _missing_key(file, stored)
            return
        signer = TokenSigner(opened, master_key, ours, values.issuer, values.audience)
        opened.read_now(signer.reload)
    except MasterKeyError as error:
        yield problem(
            "keys",
            str(error),
            f"give the key that was in use by PIDGR_MASTER_KEY, or bring its {file.name} back "
            f"to {file.parent}",
        )
        return
    yield ok("keys", f"the master key opens {_count(stored, 'signing key')}")
    if values.master_key is None and (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
        yield problem("keys", f"others can read {file} (mode {mode:o})", f"run `chmod 600 {file}`")


def _missing_key(file: Path, stored: int) -> Finding:
    if stored:
        return problem(
            "keys",
            f"{file} is missing, and PIDGR_MASTER_KEY is not set",
            "bring the file back from a backup: without it nobody's token is valid any more",
        )
    return notice(
        "keys",
        "there is no master key yet",
        f"the first start makes {file}; keep a copy of it beside every database backup",
    )


def blobs(values: Settings) -> Iterator[Finding]:
    """Store a file where pictures and recordings go, read it and delete it."""
    store_of_blobs = build_blobs(values)
    place = values.blob_url
    if isinstance(store_of_blobs, FileBlobs):
        place = str(store_of_blobs.root)
        if not store_of_blobs.root.exists():
            # Made here it would belong to whoever runs this.
            yield ok("blobs", f"{place} comes with the first picture or recording")
            return
    name = f"doctor/{uuid.uuid4()}"
    try:
        store_of_blobs.put(name, _PROBE)
        with store_of_blobs.get(name) as content:
            found = content.read()
        store_of_blobs.delete(name)
    except (UnavailableError, BlobMissingError) as error:
        reason = str(error.__cause__ or error).partition("\n")[0]
        yield problem(
            "blobs",
            f"{place} does not keep files: {reason}",
            "give the directory to the user who runs Pidgr and look for free space; with S3 look "
            "at PIDGR_BLOB_URL, PIDGR_S3_ENDPOINT, the key and what it may do",
        )
        return
    if found != _PROBE:
        advice = "somebody else seems to write there; give Pidgr a place of its own"
        yield problem("blobs", f"{place} returned something else than was stored", advice)
        return
    yield ok("blobs", f"{place} keeps files and returns them")


def engine(opened: Database, ours: Clock) -> Iterator[Finding]:
    """Look whether somebody runs the campaigns, and whether they move."""
    running = opened.read_now(lambda reader: store.count_running(reader, CampaignStatus.RUNNING))
    yield _alive(running, working=health.is_executing(opened))
    now = ours.now()
    overdue = opened.read_now(
        lambda reader: store.overdue(reader, CampaignStatus.RUNNING, now - _OVERDUE_AFTER)
    )
    if overdue:
        yield problem(
            "engine",
            f"{_count(len(overdue), 'campaign')} should have woken up: {_list(overdue, now)}",
            "is a process running campaigns, and what does its log say?",
        )
    stuck = opened.read_now(
        lambda reader: store.stuck(reader, CampaignStatus.RUNNING, now - _STUCK_AFTER)
    )
    if stuck:
        yield problem(
            "engine",
            f"{_count(len(stuck), 'campaign')} stopped sending: {_list(stuck, now)}",
            "look in the log for failures; is the database's disk full, or a process at work?",
        )
    failed = opened.read_now(lambda reader: health.failed_tasks(reader, _FAILED_WITHIN))
    if failed:
        yield problem(
            "engine",
            f"{_count(len(failed), 'task')} failed for good in the last day: " + _some(failed),
            "their campaigns are FAILED; the log has the reason under the same names. Put it "
            "right and send the campaign again",
        )


def pushes(opened: Database, ours: Clock) -> Iterator[Finding]:
    """Look for pushes that wait behind a provider that does not take them."""
    now = ours.now()
    before = now - _STUCK_AFTER
    waiting = opened.read_now(
        lambda reader: store.unanswered(reader, CampaignStatus.RUNNING, before)
    )
    if waiting:
        yield problem(
            "pushes",
            f"no push provider has taken {_list_unanswered(waiting, now)}",
            "the log has its answers: mend the credentials it refuses (PIDGR_APNS_..., "
            "PIDGR_FCM_...) or the gateway at PIDGR_PUSH_URL; sending goes on then",
        )
    late = opened.read_now(lambda reader: store.late(reader, before))
    if late:
        yield problem(
            "pushes",
            f"held back until now, and nobody has taken {_list_unanswered(late, now)}",
            "is a process running campaigns, and what does its log say of the push provider?",
        )
    if not waiting and not late:
        yield ok("pushes", "none waits for its provider")


def _list_unanswered(waiting: Sequence[Unanswered], now: int) -> str:
    total = sum(int(one.deliveries) for one in waiting)
    return f"{total:,} pushes: {_list(waiting, now)}"


def _alive(running: int, *, working: bool) -> Finding:
    campaigns = _count(running, "campaign")
    if working:
        return ok("engine", f"a process is at work; running: {campaigns}")
    if running:
        return problem(
            "engine",
            f"no process is at work; running: {campaigns}",
            "start `pidgr serve`, or `pidgr worker` beside it",
        )
    return notice("engine", "no process is at work", "start `pidgr serve`")


def _list(waiting: Sequence[Waiting | Unanswered], now: int) -> str:
    return _some([f"{one.campaign_id} for {_duration(now - one.since)}" for one in waiting])


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _duration(microseconds: int) -> str:
    return str(timedelta(seconds=round(microseconds / SECOND)))
