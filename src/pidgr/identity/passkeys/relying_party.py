"""What this site is to an authenticator, and what it takes as an answer (WebAuthn Level 3).

No input and no output: options out, verified answers in. Keys must be discoverable and check who
holds them by a PIN or a body part. Attestation is not asked for: which make of authenticator
somebody uses is their business.

The library is imported where it is used: that takes a tenth of the program's start, which every
command makes and few need.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import structlog

from pidgr.clock import MILLISECOND
from pidgr.errors import FailedPreconditionError, SetupError, invalid_field

if TYPE_CHECKING:
    from webauthn.helpers.structs import AuthenticationCredential, RegistrationCredential

_NAME: Final = "Pidgr"
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
# WebAuthn Level 3, 4: "credential ID".
_LONGEST_CREDENTIAL_ID: Final = 1_023

Json = dict[str, object]
log = structlog.get_logger("pidgr.identity")


class RefusedError(Exception):
    """An answer that proves nothing. Callers say so in their own words; the log has the reason."""


@dataclass(frozen=True, slots=True)
class KnownCredential:
    """A key somebody has already, named so that a device does not make a second one."""

    credential_id: bytes
    transports: str


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A verified new key."""

    credential_id: bytes
    public_key: bytes
    """COSE_Key (RFC 9052)."""
    sign_count: int
    aaguid: str
    transports: str
    """How the authenticator can be reached, separated by spaces."""
    synced: bool
    """Whether its maker may copy it to the person's other devices."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A readable answer of ``navigator.credentials.create()`` that nobody has verified."""

    credential: "RegistrationCredential"
    challenge: bytes


@dataclass(frozen=True, slots=True)
class Assertion:
    """A readable answer of ``navigator.credentials.get()`` that nobody has verified."""

    credential: "AuthenticationCredential"
    challenge: bytes

    @property
    def credential_id(self) -> bytes:
        """Return which key it claims to be of."""
        return self.credential.raw_id


def read_registration(answer: Json) -> Registration:
    """Read the JSON of an answer to creation options.

    Raises:
        InvalidArgumentError: it is not one.
    """
    from webauthn import helpers  # noqa: PLC0415

    try:
        credential = helpers.parse_registration_credential_json(answer)
        challenge = helpers.parse_client_data_json(credential.response.client_data_json).challenge
    except Exception as error:
        raise _unreadable("create") from error
    return Registration(credential, challenge)


def read_assertion(answer: Json) -> Assertion:
    """Read the JSON of an answer to request options.

    Raises:
        InvalidArgumentError: it is not one.
    """
    from webauthn import helpers  # noqa: PLC0415

    try:
        credential = helpers.parse_authentication_credential_json(answer)
        challenge = helpers.parse_client_data_json(credential.response.client_data_json).challenge
    except Exception as error:
        raise _unreadable("get") from error
    return Assertion(credential, challenge)


class RelyingParty:
    """This installation, by its public base URL: keys are bound to its host, answers to its origin.

    Raises:
        SetupError: the URL names no host.
    """

    def __init__(self, base_url: str) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            message = f"PIDGR_ISSUER must be an http or https URL with a host, is {base_url!r}"
            raise SetupError(message)
        self.id: Final = parts.hostname.encode("idna").decode()
        default = parts.port in {None, _DEFAULT_PORTS[parts.scheme]}
        host = f"[{self.id}]" if ":" in self.id else self.id
        self.origin: Final = f"{parts.scheme}://{host}{'' if default else f':{parts.port}'}"

    @property
    def has_host_name(self) -> bool:
        """Tell whether browsers can bind keys to this site: its address is a name."""
        try:
            ipaddress.ip_address(self.id)
        except ValueError:
            return True
        return False

    def require_host_name(self) -> None:
        """Check that browsers can bind keys to this site.

        Raises:
            FailedPreconditionError: its public URL has an IP address in place of a name.
        """
        if self.has_host_name:
            return
        raise FailedPreconditionError(
            "passkeys are bound to a host name and this site has none: its operator must set "
            "PIDGR_ISSUER to a URL with a name"
        )

    def creation_options(
        self,
        *,
        user_handle: bytes,
        user_name: str,
        challenge: bytes,
        lifetime: int,
        known: Sequence[KnownCredential],
    ) -> Json:
        """Return what ``navigator.credentials.create()`` wants, as JSON.

        Args:
            user_handle: what names the person to the authenticator; nothing about them.
            user_name: what the person sees when choosing among several accounts.
            challenge: what the answer must repeat.
            lifetime: microseconds until the challenge expires.
            known: the keys they have.
        """
        import webauthn  # noqa: PLC0415
        from webauthn.helpers import options_to_json_dict, structs  # noqa: PLC0415

        options = webauthn.generate_registration_options(
            rp_id=self.id,
            rp_name=_NAME,
            user_id=user_handle,
            user_name=user_name,
            challenge=challenge,
            timeout=lifetime // MILLISECOND,
            authenticator_selection=structs.AuthenticatorSelectionCriteria(
                resident_key=structs.ResidentKeyRequirement.REQUIRED,
                user_verification=structs.UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[
                structs.PublicKeyCredentialDescriptor(
                    id=one.credential_id,
                    transports=[
                        structs.AuthenticatorTransport(name) for name in one.transports.split()
                    ],
                )
                for one in known
            ],
        )
        return options_to_json_dict(options)

    def request_options(self, *, challenge: bytes, lifetime: int) -> Json:
        """Return what ``navigator.credentials.get()`` wants, as JSON: any key of this site will do.

        The lifetime is in microseconds.
        """
        import webauthn  # noqa: PLC0415
        from webauthn.helpers import options_to_json_dict, structs  # noqa: PLC0415

        options = webauthn.generate_authentication_options(
            rp_id=self.id,
            challenge=challenge,
            timeout=lifetime // MILLISECOND,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def verify_registration(self, answer: Registration) -> NewCredential:
        """Return the key an answer offers. Whose challenge it answers is for the caller to know.

        Raises:
            RefusedError: made for another site, without checking who holds it, or forged.
        """
        import webauthn  # noqa: PLC0415
        from webauthn.helpers.structs import CredentialDeviceType  # noqa: PLC0415

        try:
            verified = webauthn.verify_registration_response(
                credential=answer.credential,
                expected_challenge=answer.challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except Exception as error:
            raise _refused(error) from error
        if len(verified.credential_id) > _LONGEST_CREDENTIAL_ID:
            raise RefusedError
        return NewCredential(
            credential_id=verified.credential_id,
            public_key=verified.credential_public_key,
            sign_count=verified.sign_count,
            aaguid=verified.aaguid,
            transports=" ".join(one.value for one in answer.credential.response.transports or ()),
            synced=verified.credential_device_type == CredentialDeviceType.MULTI_DEVICE,
        )

    def verify_assertion(self, answer: Assertion, public_key: bytes, user_handle: bytes) -> int:
        """Return the counter of a signature by a key and its person.

        What the counter was before is left to the caller: the library would compare it before it
        looks at the signature, and a forged answer could then make a good key look copied.

        Raises:
            RefusedError: made for another site, without checking who holds it, or forged.
        """
        if answer.credential.response.user_handle != user_handle:
            raise RefusedError
        import webauthn  # noqa: PLC0415

        try:
            verified = webauthn.verify_authentication_response(
                credential=answer.credential,
                expected_challenge=answer.challenge,
                expected_rp_id=self.id,
                expected_origin=self.origin,
                credential_public_key=public_key,
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except Exception as error:
            raise _refused(error) from error
        return verified.new_sign_count


def went_back(before: int, now: int) -> bool:
    """Tell whether a counter shows that two authenticators hold a key (WebAuthn Level 3, 6.1.1).

    Synced keys do not count: they stay at zero.
    """
    return (before > 0 or now > 0) and now <= before


def _refused(error: Exception) -> RefusedError:
    # The library lets through whatever its decoders raise; only the operator learns what it was.
    log.info("a passkey was refused", problem=f"{type(error).__name__}: {error}"[:300])
    return RefusedError()


def _unreadable(call: str) -> Exception:
    return invalid_field(
        "credential", f"is not the JSON of an answer of navigator.credentials.{call}()"
    )
