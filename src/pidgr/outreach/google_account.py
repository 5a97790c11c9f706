"""Service accounts of Google: what their key files say, and what they prove who they are with."""

import json
from dataclasses import dataclass
from typing import Final, Self

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from pidgr.clock import SECOND
from pidgr.errors import SetupError

_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_SECONDS: Final = 3600


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """What Google's JSON key file says."""

    project_id: str
    client_email: str
    token_uri: str
    key: RSAKey

    @classmethod
    def from_json(cls, text: str, setting: str) -> Self:
        """Read a key file, which a setting holds.

        Raises:
            SetupError: it is none. The message repeats nothing of it.
        """
        try:
            values = json.loads(text)
            return cls(
                project_id=str(values["project_id"]),
                client_email=str(values["client_email"]),
                token_uri=str(values["token_uri"]),
                key=RSAKey.import_key(values["private_key"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError, JoseError):
            raise SetupError(
                f"{setting} is not the JSON key file of a Google service account"
            ) from None

    def token_form(self, scope: str, now: int, subject: str = "") -> dict[str, str]:
        """Return what a token is asked for with, at a moment in microseconds (RFC 7523).

        Args:
            scope: what the token is to be good for.
            now: the moment.
            subject: the person for whom the account acts, if for anybody.
        """
        issued_at = now // SECOND
        claims: dict[str, object] = {
            "iss": self.client_email,
            "scope": scope,
            "aud": self.token_uri,
            "iat": issued_at,
            "exp": issued_at + _ASSERTION_SECONDS,
        }
        if subject:
            claims["sub"] = subject
        assertion = jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, self.key)
        return {"grant_type": _GRANT, "assertion": assertion}
