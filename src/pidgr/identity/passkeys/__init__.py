"""Passkeys: keys on people's devices, bound to this site (WebAuthn Level 3)."""
