"""The rows of the table, and how they are printed and kept."""

import json
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Line:
    """One measurement beside its floor, in the same unit.

    ``ratios`` has one value per round, ``measured`` divided by ``floor``; the others are medians.
    """

    subject: str
    database: str
    unit: str
    measured: float
    floor: float
    floor_is: str
    ratios: tuple[float, ...]
    goal: str = ""

    @property
    def ratio(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.ratios)


def line(
    subject: str,
    database: str,
    unit: str,
    rounds: Sequence[tuple[float, float]],
    *,
    floor_is: str,
    goal: str = "",
) -> Line:
    """Return the line of a measurement's rounds, pairs of what was measured and its floor."""
    measured, floors = zip(*rounds, strict=True)
    return Line(
        subject,
        database,
        unit,
        statistics.median(measured),
        statistics.median(floors),
        floor_is,
        tuple(mine / floor for mine, floor in rounds),
        goal,
    )


def show(lines: Sequence[Line]) -> None:
    """Print the table."""
    table = Table(title="Pidgr beside its floors: medians, ratio = Pidgr / floor")
    for heading in ("measurement", "database"):
        table.add_column(heading)
    for heading in ("ratio", "rounds", "goal", "Pidgr", "floor"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    table.add_column("the floor is")
    for one in lines:
        spread = f"{min(one.ratios):.2f} - {max(one.ratios):.2f}"
        table.add_row(
            one.subject,
            one.database,
            f"[bold]{one.ratio:.2f}x[/bold]",
            spread if len(one.ratios) > 1 else "",
            one.goal,
            _number(one.measured),
            _number(one.floor),
            one.unit,
            one.floor_is,
        )
    Console(width=max(150, Console().width)).print(table)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"  # noqa: PLR2004


def keep(lines: Sequence[Line], folder: Path = RESULTS) -> Path:
    """Write the lines as JSON and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / time.strftime("%Y%m%dT%H%M%S.json")
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "lines": [{**asdict(one), "ratio": one.ratio} for one in lines],
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path
