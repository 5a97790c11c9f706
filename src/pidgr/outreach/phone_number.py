"""Numbers of phones as people write them."""

import re
from typing import Final

_DECORATION: Final = re.compile(r"[\s().\-/]")
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")


def international(written: str) -> str:
    """Return a number in E.164 form; nothing if it is not written as one of any country."""
    number = _DECORATION.sub("", written)
    return number if _NUMBER.fullmatch(number) else ""
