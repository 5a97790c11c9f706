"""The small facts of a privacy request, as they are stored: a JSON object of texts."""

import json


def write_facts(**facts: str) -> str:
    """Return the stored form; facts that are empty are none."""
    given = {name: value for name, value in facts.items() if value}
    return json.dumps(given, ensure_ascii=False, separators=(",", ":")) if given else ""


def read_facts(stored: str) -> dict[str, str]:
    """Return what was stored."""
    found: dict[str, str] = json.loads(stored) if stored else {}
    return found
