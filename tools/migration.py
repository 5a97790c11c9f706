"""Generate a migration from the difference between the schema and the migrations so far.

Usage: migration.py MESSAGE
"""

import sys
import tempfile
from pathlib import Path

from pidgr.storage import migration
from pidgr.storage.database import Database


def main(arguments: list[str]) -> None:
    """Write the next file into the migrations folder, for review."""
    if len(arguments) != 1:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        database = Database(f"sqlite:///{Path(scratch, 'empty.sqlite3')}")
        migration.migrate(database)
        migration.write_revision(database, arguments[0])
        database.close()


if __name__ == "__main__":
    main(sys.argv[1:])
