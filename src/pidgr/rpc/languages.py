"""Which of the product's languages a reader wants."""

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final = ("en", "es", "pt-BR", "zh", "ja")

Rows = Mapping[str, tuple[str, str, str, str, str]]
"""Texts by name, each in the order of ``LANGUAGES``."""


def texts(rows: Rows, accept_language: str) -> tuple[str, dict[str, str]]:
    """Return the first language of a header that we speak, English if none, and its texts."""
    chosen = 0
    for part in accept_language.split(","):
        wanted = part.partition(";")[0].strip().lower().partition("-")[0]
        found = [
            n for n, one in enumerate(LANGUAGES) if wanted and one.lower().split("-")[0] == wanted
        ]
        if found:
            chosen = found[0]
            break
    return LANGUAGES[chosen], {name: row[chosen] for name, row in rows.items()}
