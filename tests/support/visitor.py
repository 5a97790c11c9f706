"""Somebody in front of a browser."""

from dataclasses import dataclass

from support.grpc_client import Organization
from support.running import Installation


@dataclass(frozen=True)
class Visitor:
    """A person who was invited as a manager; ``scenario`` is what a browser's scenario wants."""

    installation: Installation
    organization: Organization
    scenario: dict[str, str]
