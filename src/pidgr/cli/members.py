"""``pidgr members``: work on an organization's members."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from pidgr.cli.terminal import Json, errors, print_json, say
from pidgr.settings import Settings

if TYPE_CHECKING:
    from pidgr.directory.member_import import ImportReport

_SHOWN_PROBLEMS: Final = 20

members = typer.Typer(no_args_is_help=True, help="Work on an organization's members.")


@members.command("import")
def import_members(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="UTF-8 CSV.")
    ],
    organization_id: Annotated[str, typer.Option(help="Whose members they become.")],
    *,
    send_invitations: Annotated[
        bool, typer.Option("--send-invitations", help="Mail everyone who is new.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only report what would happen; nothing changes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Invite everyone in a CSV file.

    The first line names the columns: email, name, first_name, last_name, department, title, phone,
    location, employee_id, manager_name, start_date, preferred_locale, role; any other column is a
    custom attribute. Who is a member already is skipped, so the same file can be imported again.
    The exit status is 1 if any row was invalid; the others are in.
    """
    report = _import(file, organization_id, send_invitations=send_invitations, dry_run=dry_run)
    if as_json:
        print_json({"rows": report.rows, **dataclasses.asdict(report)})
    else:
        invited = "would be invited" if dry_run else "invited"
        say(
            f"{report.inserted:,} {invited}, {report.skipped:,} skipped, {report.invalid:,} invalid"
        )
        shown = report.problems[:_SHOWN_PROBLEMS]
        for problem in shown:
            say(f"  line {problem.line}: {problem.email or '(no address)'}: {problem.reason}")
        if len(shown) < report.skipped + report.invalid:
            say(f"  and {report.skipped + report.invalid - len(shown):,} more")
    if report.invalid:
        raise typer.Exit(1)


def _import(
    file: Path, organization_id: str, *, send_invitations: bool, dry_run: bool
) -> "ImportReport":
    from pidgr import operations  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    # A bar of bytes: counting the rows first would read the file twice.
    with (
        Progress(*columns, console=errors, disable=not errors.is_terminal) as bar,
        bar.open(file, "r", encoding="utf-8", newline="", description="Reading") as lines,
    ):

        def show(report: "ImportReport") -> None:
            bar.update(bar.task_ids[0], description=f"{report.rows:,} rows")

        return operations.import_members(
            Settings(),
            lines,
            organization_id,
            show,
            send_invitations=send_invitations,
            dry_run=dry_run,
        )
