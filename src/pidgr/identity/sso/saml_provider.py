"""What is kept of a SAML 2.0 identity provider."""

from dataclasses import asdict, dataclass
from typing import Any


class MetadataError(ValueError):
    """Not the metadata of a usable provider; the sentence says why."""


@dataclass(frozen=True, slots=True)
class SamlProvider:
    """A provider: its name, where people are sent and how, and whom we believe to be it."""

    entity_id: str
    sign_on_url: str
    binding: str
    certificates: tuple[str, ...]
    """DER in base64."""

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> "SamlProvider":
        """Return what was stored."""
        return cls(**{**stored, "certificates": tuple(stored["certificates"])})
