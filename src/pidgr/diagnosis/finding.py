"""What an examination finds."""

import enum
from dataclasses import dataclass


class Level(enum.StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTICE = "notice"
    """Worth knowing; nothing is broken."""
    PROBLEM = "problem"
    """Something does not work, or will not soon."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, how it is, and what to do about it."""

    check: str
    level: Level
    message: str
    advice: str = ""


def ok(check: str, message: str) -> Finding:
    """Return a finding that needs nothing done."""
    return Finding(check, Level.OK, message)


def notice(check: str, message: str, advice: str) -> Finding:
    """Return a finding worth knowing."""
    return Finding(check, Level.NOTICE, message, advice)


def problem(check: str, message: str, advice: str) -> Finding:
    """Return a finding that makes the installation unhealthy."""
    return Finding(check, Level.PROBLEM, message, advice)
