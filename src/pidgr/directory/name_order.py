"""Page positions in lists that are ordered by name.

Page tokens carry whole numbers, so a name travels in them as its UTF-8 bytes, eight to a number.
The name itself is the position, not the id of the row it came from: that row may be renamed or gone
when the next page is asked for.
"""

import struct
from typing import Final

_WIDTH: Final = 8


def to_position(name: str) -> tuple[int, ...]:
    """Return the position of a name, which must not hold NUL."""
    data = name.encode()
    data += b"\0" * (-len(data) % _WIDTH)
    return struct.unpack(f">{len(data) // _WIDTH}q", data)


def from_position(position: tuple[int, ...]) -> str:
    """Return the name at a position; "" for the first page's, which is before every name."""
    return struct.pack(f">{len(position)}q", *position).rstrip(b"\0").decode()


def member_position(sort_name: str, key: int) -> tuple[int, ...]:
    """Return the position of a member: the name they are sorted by, and their key among equals."""
    return (key, *to_position(sort_name))


def member_after(position: tuple[int, ...]) -> tuple[str, int]:
    """Return the sort name and key at a position; ("", 0) for the first page's."""
    key, *name = position or (0,)
    return from_position(tuple(name)), key
