"""``pidgr admin quiet-hours``: when an organization's people are not pushed."""

from typing import Annotated

import typer

from pidgr.campaigns.quiet_hours import QuietHours
from pidgr.cli.terminal import Json, print_json, say
from pidgr.settings import Settings


def quiet_hours(
    organization_id: Annotated[str, typer.Option(help="Whose people.")],
    *,
    begin: Annotated[
        str | None, typer.Option("--from", help="Time of the day they begin at, as 22:00.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Time of the day they end at, as 07:00.")
    ] = None,
    zone: Annotated[
        str, typer.Option(help="Zone of people whose profile names none, as Europe/Berlin.")
    ] = "UTC",
    off: Annotated[bool, typer.Option("--off", help="Push at any time of the day.")] = False,
    as_json: Json = False,
) -> None:
    """Show an organization's quiet hours, or set them.

    Pushes wait for their end by the recipient's clock; inboxes and critical campaigns do not.
    """
    from pidgr import operations  # noqa: PLC0415

    if (begin is None) != (end is None) or (off and begin is not None):
        raise typer.BadParameter("give --from and --to, or --off, or neither to see them")
    if begin is not None and end is not None:
        operations.set_quiet_hours(Settings(), organization_id, begin, end, zone)
    elif off:
        operations.clear_quiet_hours(Settings(), organization_id)
    hours = operations.quiet_hours(Settings(), organization_id)
    if as_json:
        print_json({"quiet_hours": None if hours is None else _shown(hours)})
    elif hours is None:
        say("No quiet hours.")
    else:
        say(f"From {hours.begins} to {hours.ends} by the recipient's clock ({hours.zone}).")


def _shown(hours: QuietHours) -> dict[str, str]:
    return {"from": hours.begins, "to": hours.ends, "zone": hours.zone}
