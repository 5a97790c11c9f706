"""Versions of resources (RFC 7644, 3.14), which tell a directory that somebody else changed one."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from scim2_models import Context, PreconditionFailedException, Resource

_ANY = "*"


def represent(resource: Resource[Any]) -> dict[str, Any]:
    """Return a resource as it is sent, whole."""
    return resource.model_dump(scim_ctx=Context.RESOURCE_QUERY_RESPONSE)


def stamp(resource: Resource[Any]) -> None:
    """Give a resource the version that follows from what it says."""
    content = json.dumps(represent(resource), sort_keys=True).encode()
    assert resource.meta is not None  # noqa: S101 - every resource of ours has it
    resource.meta.version = f'W/"{hashlib.sha256(content).hexdigest()[:24]}"'


def version_of(resource: Resource[Any]) -> str:
    """Return the version that a resource was given."""
    return (resource.meta.version or "") if resource.meta else ""


@dataclass(frozen=True, slots=True)
class Match:
    """What a request demands of the version: the headers If-Match and If-None-Match."""

    only: str = ""
    known: str = ""

    def require(self, version: str) -> None:
        """Refuse a change to another version than the one the caller knows.

        Raises:
            PreconditionFailedException: it has another one by now.
        """
        if self.only and not _among(version, self.only):
            detail = "it has changed since you read it; read it again"
            raise PreconditionFailedException(detail=detail)

    def is_known(self, version: str) -> bool:
        """Tell whether the caller has this version already."""
        return bool(self.known) and _among(version, self.known)


def _among(version: str, tags: str) -> bool:
    """Compare weakly, as all versions here are weak (RFC 9110, 8.8.3.2)."""
    given = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    return _ANY in given or version.removeprefix("W/") in given
