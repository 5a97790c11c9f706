"""``pidgr heatmap``: pictures of where people touch, for reports."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pidgr.cli.terminal import say
from pidgr.settings import Settings

heatmap = typer.Typer(no_args_is_help=True, help="See where people touch.")

_DATES = ["%Y-%m-%d"]


@heatmap.callback()
def _group() -> None:
    """Keep ``render`` a command of its own."""


@heatmap.command()
def render(
    organization_id: Annotated[str, typer.Option(help="Whose screens.")],
    screen: Annotated[str, typer.Option(help="Name of the screen, as its app reports it.")],
    output: Annotated[Path, typer.Option(dir_okay=False, writable=True, help="PNG to write.")],
    *,
    date_from: Annotated[
        datetime | None, typer.Option("--from", formats=_DATES, help="First day, in UTC.")
    ] = None,
    date_to: Annotated[
        datetime | None, typer.Option("--to", formats=_DATES, help="Last day, in UTC.")
    ] = None,
    resolution: Annotated[
        float, typer.Option(help="Side of a cell as a share of the screen: 0.005 to 0.1.")
    ] = 0.02,
    median: Annotated[
        bool, typer.Option("--median", help="Show the median of the cohorts, not the total.")
    ] = False,
) -> None:
    """Paint the heatmap of a screen over its latest picture."""
    from pidgr import reports  # noqa: PLC0415

    png = reports.render_heatmap(
        Settings(),
        organization_id,
        screen,
        first_day=date_from.replace(tzinfo=UTC) if date_from else None,
        last_day=date_to.replace(tzinfo=UTC) if date_to else None,
        resolution=resolution,
        median=median,
    )
    output.write_bytes(png)
    say(f"{output}: {len(png):,} bytes")
