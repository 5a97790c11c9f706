"""What the demo shows: moving bars on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

_SECONDS_BETWEEN_LINES: Final = 5.0


class Bars:
    """How far some things have come that go on at the same time."""

    def __init__(self, console: Console, totals: Mapping[str, int]) -> None:
        self._console = console
        self._totals = totals
        self._counts = dict.fromkeys(totals, 0)
        self._note = ""
        self._last_line = time.monotonic()
        width = max(map(len, totals))
        self._progress = Progress(
            TextColumn(f"  {{task.description:<{width}}}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks = {
            name: self._progress.add_task(name, total=total, note="")
            for name, total in totals.items()
        }

    def set(self, name: str, count: int) -> None:
        """Show that a thing has come so far."""
        self._counts[name] = count
        self._progress.update(self._tasks[name], completed=count)
        self._print_line_now_and_then()

    def advance(self, name: str) -> None:
        """Show one more."""
        self.set(name, self._counts[name] + 1)

    def note(self, text: str) -> None:
        """Show a remark beside the first thing."""
        self._note = text
        self._progress.update(next(iter(self._tasks.values())), note=text)
        if text:
            self._print_line_now_and_then()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show them for the length of a block, and where they have come to at its end."""
        with self._progress:
            yield
        self._note = ""
        self._print_line()

    def _print_line_now_and_then(self) -> None:
        if time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._print_line()

    def _print_line(self) -> None:
        self._last_line = time.monotonic()
        if self._console.is_terminal:
            return
        parts = [
            f"{name.lower()} {count:,} of {self._totals[name]:,}"
            for name, count in self._counts.items()
        ]
        if self._note:
            parts.insert(0, self._note)
        self._console.print("  " + ", ".join(parts), soft_wrap=True)


class Screen:
    """Where the demo tells what happens."""

    def __init__(self, console: Console) -> None:
        self.console: Final = console

    def say(self, text: str) -> None:
        """Print a text as it is, so that what is printed can be copied."""
        self.console.print(text, markup=False, soft_wrap=True)

    def step(self, text: str) -> None:
        """Print what has been done."""
        self.say(f"- {text}")

    @contextmanager
    def bars(self, totals: Mapping[str, int]) -> Iterator[Bars]:
        """Show things that go on at the same time, by name with the number each is to reach."""
        bars = Bars(self.console, totals)
        with bars.shown():
            yield bars
