"""A process that executes tasks, for tests to kill: ``python -m engine.worker URL [block]``.

Says "ready" when it has started and "begun" when a blocking handler holds its task.
"""

import sys
import threading

from engine.marks import mark
from pidgr.engine.dbos_engine import DbosEngine
from pidgr.errors import FailedPreconditionError
from pidgr.storage.database import Database


def main(url: str, *, block: bool) -> None:
    database = Database(url)
    engine = DbosEngine(database, run_handlers=True)

    def handle(name: str) -> None:
        mark(database, name)
        if block:
            print("begun", flush=True)  # noqa: T201
            threading.Event().wait()
        mark(database, f"{name} done")

    engine.register("work", handle)
    try:
        engine.start()
    except FailedPreconditionError as error:
        sys.exit(error.message)
    print("ready", flush=True)  # noqa: T201
    sys.stdin.read()
    engine.stop()
    database.close()


if __name__ == "__main__":
    main(sys.argv[1], block="block" in sys.argv[2:])
