"""How a person can prove who they are, in the words of RFC 8176 (claim ``amr``).

A method may need several of them, separated by spaces.
"""

from typing import Final

OTP: Final = "otp"
"""A code sent by mail. Weaker than anything else (OWASP ASVS 5.0 V6.3.6); organizations can refuse
it."""

SSO: Final = "fed"
"""The word of the organization's own identity provider, which counts in that organization only.
RFC 8176 has no name for it."""

PASSKEY: Final = "swk mfa"
"""A key on a device that has checked its holder, by a PIN or a body part: two factors. That a key
cannot leave its device ("hwk") nobody can tell without attestation."""
