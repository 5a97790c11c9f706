"""Trouble that is to be expected, in one sentence for whoever runs the installation."""

import pydantic
import sqlalchemy.exc

from pidgr.errors import PidgrError, SetupError, UnavailableError
from pidgr.settings import PREFIX


def sentence(error: BaseException) -> str | None:
    """Return what to tell of an error, or None when it is a defect and wants its traceback."""
    match error:
        case pydantic.ValidationError():
            return "; ".join(
                f"{PREFIX}{str(detail['loc'][0]).upper()}: {detail['msg']}"
                for detail in error.errors(include_url=False, include_input=False)
            )
        case UnavailableError() | sqlalchemy.exc.OperationalError():
            return f"the database cannot be reached: {_first_cause(error)}"
        case sqlalchemy.exc.DatabaseError() if "file is not a database" in str(error.orig):
            return "the database's file is not one of SQLite's"
        case PidgrError() | SetupError():
            return str(error)
        case OSError() if error.filename is not None:
            return f"{error.filename}: {error.strerror}"
        case _:
            return None


def _first_cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0]
