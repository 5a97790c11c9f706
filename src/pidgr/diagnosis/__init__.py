"""``pidgr doctor``: is this installation well, and if not, what is to be done."""

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console

from pidgr.clock import Clock
from pidgr.diagnosis import checks
from pidgr.diagnosis.finding import Finding, Level, problem
from pidgr.settings import Settings
from pidgr.storage.database import Database
from pidgr.trouble import sentence

_STYLES = {Level.OK: "green", Level.NOTICE: "yellow", Level.PROBLEM: "bold red"}


def examine(clock: Clock | None = None) -> list[Finding]:
    """Look at everything, in the order in which one thing rests on another.

    Nothing is changed, but for a file that is stored and deleted again. A check that rests on a
    broken one is left out.
    """
    return list(_examine(clock or Clock()))


def _examine(clock: Clock) -> Iterator[Finding]:
    try:
        settings = Settings()
        database = Database(settings.resolved_database_url())
    except Exception as error:
        told = sentence(error)
        if told is None:
            raise
        yield problem("settings", told, _ADVICE["settings"])
        return
    yield from checks.settings(settings)
    try:
        yield from _examine_database(settings, database, clock)
    finally:
        database.close()


def _examine_database(settings: Settings, database: Database, clock: Clock) -> Iterator[Finding]:
    for name, check in (
        ("database", lambda: checks.database(database)),
        ("migrations", lambda: checks.migrations(database)),
    ):
        found = _run(name, check)
        yield from found
        if not is_healthy(found):
            return
    yield from _run("clock", lambda: checks.clock(database, clock))
    yield from _run("keys", lambda: checks.keys(settings, database, clock))
    yield from _run("blobs", lambda: checks.blobs(settings))
    yield from _run("engine", lambda: checks.engine(database, clock))
    yield from _run("pushes", lambda: checks.pushes(database, clock))


def _run(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:
        told = sentence(error)
        if told is None:
            raise
        return [problem(name, told, _ADVICE[name])]


_ADVICE = {
    "settings": "docs/reference/configuration.md tells what each setting means",
    "database": "is PIDGR_DATABASE_URL right in every part, and does that server run?",
    "migrations": "look at the database server's log",
    "clock": "look at the database server's log",
    "keys": "make the file readable for the user who runs Pidgr",
    "blobs": "docs/how-to/keep-files-in-s3.md tells how to set the place",
    "engine": "look at the database server's log",
    "pushes": "look at the database server's log",
}


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Tell whether nothing is a problem."""
    return all(finding.level is not Level.PROBLEM for finding in findings)


def show(findings: Sequence[Finding], console: Console) -> None:
    """Print findings for people."""
    for finding in findings:
        level = f"{finding.level:<8}"
        console.print(level, style=_STYLES[finding.level], end="")
        console.print(f" {finding.check:<11} {finding.message}", markup=False, soft_wrap=True)
        if finding.advice:
            console.print(f"{'':<21}-> {finding.advice}", markup=False, soft_wrap=True)
    problems = sum(finding.level is Level.PROBLEM for finding in findings)
    if problems:
        console.print(f"\n{problems} to be put right.", style="bold red")
    else:
        console.print("\nHealthy.", style="green")
