"""Placeholders in a text, and texts with holes where they were.

The language is one form, ``{{name}}`` with blanks allowed inside the braces (SEMANTICS section 5).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, Final

PLACEHOLDER: Final = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]{0,99})\s*\}\}")
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")

# A text in pieces: what stands there, or the number of the variable whose value goes there.
Piece = str | int

# Parsers of Markdown and HTML must carry a hole through unchanged; private-use characters are
# letters to neither.
_OPEN: Final = "\ue000"
_CLOSE: Final = "\ue001"
_MARKED: Final = re.compile(f"{_OPEN}([0-9]{{1,6}}){_CLOSE}")


def split(text: str, numbers: dict[str, int]) -> list[Piece]:
    """Return a text's pieces, giving each name not yet in ``numbers`` the next number."""
    pieces: list[Piece] = []
    # re.split returns texts and captured names in turn.
    for place, piece in enumerate(PLACEHOLDER.split(text)):
        if place % 2:
            pieces.append(numbers.setdefault(piece, len(numbers)))
        elif piece:
            pieces.append(piece)
    return pieces


def mark(pieces: Iterable[Piece]) -> str:
    """Return pieces as one text in which holes survive a parser."""
    return "".join(
        f"{_OPEN}{piece}{_CLOSE}"
        if isinstance(piece, int)
        else piece.replace(_OPEN, "").replace(_CLOSE, "")
        for piece in pieces
    )


def unmark(text: str, variables: int) -> list[Piece]:
    """Return the pieces of a text that went through ``mark``, of ``variables`` variables."""
    pieces: list[Piece] = []
    for place, piece in enumerate(_MARKED.split(text)):
        if not place % 2:
            if piece:
                pieces.append(piece)
        # An author can write the marks as character references; such a hole may lead nowhere.
        elif int(piece) < variables:
            pieces.append(int(piece))
    return pieces


class Form:
    """A text with holes, made for filling many times.

    The % operator fills holes in C at about half the cost of joining pieces, and looks at the
    inserted values no second time.
    """

    __slots__ = ("_holes", "_pattern", "_pick", "literal", "pieces")

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.pieces: Final = tuple(pieces)
        self.literal: Final = "".join(piece for piece in pieces if isinstance(piece, str))
        self._holes: Final = [piece for piece in pieces if isinstance(piece, int)]
        self._pattern: Final = "".join(
            "%s" if isinstance(piece, int) else piece.replace("%", "%%") for piece in pieces
        )
        self._pick: Callable[[Sequence[str]], Any] | None = (
            itemgetter(*self._holes) if self._holes else None
        )

    @property
    def holes(self) -> int:
        """How many values go in."""
        return len(self._holes)

    def fill(self, values: Sequence[str]) -> str:
        """Return the text with the variables' values, by number, in its holes."""
        if self._pick is None:
            return self.literal
        filled: str = self._pattern % self._pick(values)
        return filled

    def length(self, values: Sequence[str]) -> int:
        """Return how long the filled text would be, in characters."""
        return len(self.literal) + sum(len(values[hole]) for hole in self._holes)
