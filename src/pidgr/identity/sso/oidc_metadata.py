"""What the configuration of an OpenID provider tells (OpenID Connect Discovery 1.0)."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Final

ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
)
"""By which ID tokens may be signed: by keys only the provider has, never by a shared secret."""

WELL_KNOWN: Final = "/.well-known/openid-configuration"

_LONGEST_URL: Final = 2_048
_SECRET_BASIC: Final = "client_secret_basic"  # noqa: S105 - the name of a method


class MetadataError(ValueError):
    """Not the configuration of a usable provider; the sentence says why."""


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """A provider: who it is, where people and we go, and how."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    algorithms: tuple[str, ...]
    authentication_methods: tuple[str, ...]
    names_itself: bool
    """Whether its answers carry ``iss`` (RFC 9207)."""

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> "OidcProvider":
        """Return what was stored."""
        lists = ("algorithms", "authentication_methods")
        return cls(**{**stored, **{name: tuple(stored[name]) for name in lists}})


def read(document: bytes, metadata_url: str) -> OidcProvider:
    """Return what a configuration document says.

    Raises:
        MetadataError: it is none, belongs to another address, or offers nothing we can work with.
    """
    values = _object(document)
    issuer = _text(values, "issuer")
    if metadata_url != issuer.rstrip("/") + WELL_KNOWN:
        # Otherwise one host could speak for another (Discovery 4.3). It also keeps out addresses
        # that stand for the tenants of everybody, whose issuer is a pattern.
        raise MetadataError(f"its issuer must be the URL without {WELL_KNOWN}, is {issuer[:200]}")
    if "code" not in _texts(values, "response_types_supported", ("code",)):
        raise MetadataError("it does not support the authorization code flow")
    challenges = _texts(values, "code_challenge_methods_supported", ("S256",))
    if "S256" not in challenges:
        raise MetadataError("it does not support PKCE with S256")
    offered = _texts(values, "id_token_signing_alg_values_supported", ("RS256",))
    algorithms = tuple(name for name in ALGORITHMS if name in offered)
    if not algorithms:
        raise MetadataError("it signs ID tokens by no algorithm with a public key")
    return OidcProvider(
        issuer=issuer,
        authorization_endpoint=_text(values, "authorization_endpoint"),
        token_endpoint=_text(values, "token_endpoint"),
        jwks_uri=_text(values, "jwks_uri"),
        userinfo_endpoint=_text(values, "userinfo_endpoint", required=False),
        algorithms=algorithms,
        authentication_methods=_texts(
            values, "token_endpoint_auth_methods_supported", (_SECRET_BASIC,)
        ),
        names_itself=values.get("authorization_response_iss_parameter_supported") is True,
    )


def _object(document: bytes) -> dict[str, Any]:
    try:
        values = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise MetadataError("it is not JSON") from error
    if not isinstance(values, dict):
        raise MetadataError("it is not a JSON object")
    return values


def _text(values: dict[str, Any], name: str, *, required: bool = True) -> str:
    value = values.get(name, "")
    if not isinstance(value, str) or len(value) > _LONGEST_URL or (required and not value):
        raise MetadataError(f"its {name} is missing or no URL")
    return value


def _texts(values: dict[str, Any], name: str, missing: tuple[str, ...]) -> tuple[str, ...]:
    value = values.get(name)
    if value is None:
        return missing
    if not isinstance(value, list):
        raise MetadataError(f"its {name} is no list")
    return tuple(entry for entry in value if isinstance(entry, str))
