"""Keeps the table in docs/reference/configuration.md the same as the settings in the code.

``python tools/configuration.py`` writes it, ``python tools/configuration.py check`` fails when it
differs.
"""

import sys
from pathlib import Path

from pydantic import SecretStr

from pidgr.settings import PREFIX, Settings

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "configuration.md"
BEGIN = "<!-- made by tools/configuration.py -->\n"
END = "<!-- end -->\n"


def table() -> str:
    """Return the Markdown table of all settings."""
    fields = Settings.model_fields
    # What it inherits comes last: who reads the table wants to know first where the data is.
    names = sorted(fields, key=lambda name: name not in Settings.__annotations__)
    rows = [
        f"| `{PREFIX}{name.upper()}` | {_default(fields[name].default)} "
        f"| {fields[name].description} |"
        for name in names
    ]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"


def _default(value: object) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, tuple):
        value = ",".join(map(str, value))
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def main() -> int:
    """Write the table, or compare it."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    wanted = before + BEGIN + table() + END + after
    if sys.argv[1:] == ["check"]:
        if page != wanted:
            print("docs/reference/configuration.md is old: run python tools/configuration.py")
            return 1
        return 0
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
