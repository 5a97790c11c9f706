"""``pidgr campaigns``: look at an organization's campaigns."""

import dataclasses
from typing import Annotated

import typer

from pidgr.cli.terminal import Json, print_json, say
from pidgr.clock import HOUR, MINUTE, SECOND
from pidgr.settings import Settings

campaigns = typer.Typer(no_args_is_help=True, help="Look at campaigns.")


@campaigns.callback()
def _group() -> None:
    """Keep ``simulate`` a command of its own."""


@campaigns.command()
def simulate(
    campaign_id: Annotated[str, typer.Argument(help="A campaign that has not been started.")],
    *,
    as_json: Json = False,
) -> None:
    """Tell when each step of a campaign would fire, and for how many, if nobody acted.

    Changes nothing. Whoever confirms is not reminded, escalated or counted as missed, and
    deadlines end early once everybody has settled: the numbers are the most there can be, the
    times the latest.
    """
    from pidgr import reports  # noqa: PLC0415

    found = reports.simulate_campaign(Settings(), campaign_id)
    if as_json:
        print_json(
            {
                "campaign_id": campaign_id,
                "members": found.audience.members,
                "reachable": found.audience.reachable,
                "steps": [
                    {
                        **dataclasses.asdict(firing),
                        "step_type": firing.step_type.name,
                        "after": firing.after // SECOND,
                    }
                    for firing in found.firings
                ],
            }
        )
        return
    say(f"{found.audience.members:,} recipients, {found.audience.reachable:,} with a device")
    for firing in found.firings:
        name = firing.step_type.name.lower().replace("_", " ")
        again = f", round {firing.round}" if firing.round > 1 else ""
        others = f" and {firing.others:,} others" if firing.others else ""
        channels = f", also by {', '.join(firing.channels)}" if firing.channels else ""
        say(
            f"  {_clock(firing.after):>10}  {firing.step_id}: {name}{again}, "
            f"{firing.recipients:,} recipients{others}{channels}"
        )
    say("If nobody acts: the most people and the latest times there can be.")


def _clock(after: int) -> str:
    """Return hours and minutes since the start."""
    return f"+{after // HOUR}h{after % HOUR // MINUTE:02}m"
