"""How a person can prove who they are, in the words of RFC 8176 (claim ``amr``)."""

from typing import Final

OTP: Final = "otp"
"""A code sent by mail. Weaker than anything else (OWASP ASVS 5.0 V6.3.5); organizations can refuse
it."""
