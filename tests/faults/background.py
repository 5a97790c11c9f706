"""Threads beside a test; what they meet and do not understand fails it."""

import threading
from collections.abc import Callable, Sequence


class Background:
    """Runs functions in a thread each, until they return or see that ``ending`` is set."""

    def __init__(self, targets: Sequence[Callable[[], None]]) -> None:
        self.ending = threading.Event()
        self._defects: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(target,), daemon=True) for target in targets
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Stop the threads, and fail if one of them met something it did not understand."""
        self.ending.set()
        for thread in self._threads:
            thread.join(60)
        assert not self._defects, self._defects

    def _run(self, target: Callable[[], None]) -> None:
        try:
            target()
        except BaseException as defect:  # noqa: BLE001 - handed to the test's thread
            self._defects.append(defect)
