"""The engine library's log lines, passed on to ours."""

import logging
import time
from typing import Final

import structlog

from pidgr.engine.runner import TaskFailedError

_REPEAT_SECONDS: Final = 10.0


class LibraryLogHandler(logging.Handler):
    """Passes warnings and errors on, each kind of line at most once in ten seconds.

    While a database is away, every poll of every queue warns: fifteen lines a second.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._log = structlog.get_logger("pidgr.engine")
        self._last: dict[tuple[str, int], float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record of the library to our log."""
        if record.exc_info is not None and isinstance(record.exc_info[1], TaskFailedError):
            # The runner has logged it, with the handler's own traceback.
            return
        place = (record.pathname, record.lineno)
        now = time.monotonic()
        last = self._last.get(place)
        if last is not None and now - last < _REPEAT_SECONDS:
            return
        self._last[place] = now
        self._log.log(
            record.levelno,
            "engine library",
            message=record.getMessage(),
            exc_info=record.exc_info,
        )


def adopt_library_log() -> None:
    """Replace the library's console output by our log. Harmless to repeat."""
    logger = logging.getLogger("dbos")
    if not any(isinstance(handler, LibraryLogHandler) for handler in logger.handlers):
        logger.handlers = [LibraryLogHandler()]
    logger.propagate = False
    logger.setLevel(logging.WARNING)
