"""By what methods an organization lets its members sign in."""

from typing import Final

from pidgr.contract.v1.common_pb import Permission
from pidgr.errors import FailedPreconditionError
from pidgr.identity.caller import Caller
from pidgr.identity.sign_in_method import OTP
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader, Transaction

_GET: Final = Statement("select otp_disabled from organization where key = :organization_key")
_SET: Final = Statement("""
    update organization set otp_disabled = :disabled where key = :organization_key
""")


def otp_disabled(reader: Reader, organization_key: int) -> bool:
    """Tell whether an organization refuses sign-in by e-mail code."""
    return bool(reader.value(_GET, {"organization_key": organization_key}))


def set_otp_disabled(transaction: Transaction, caller: Caller, *, disabled: bool) -> None:
    """Refuse or accept sign-in by e-mail code from now on.

    Tokens that are out run on until they expire, within minutes; sessions opened by a code cannot
    be refreshed for this organization.

    Raises:
        PermissionDeniedError: without ORG_WRITE.
        FailedPreconditionError: whoever refuses codes has come in by one and would lock themselves
            out.
    """
    caller.require(Permission.ORG_WRITE)
    if disabled and OTP in caller.methods:
        raise FailedPreconditionError(
            "you signed in by e-mail code yourself: sign in another way before you switch it off"
        )
    parameters = {"organization_key": caller.organization_key, "disabled": disabled}
    transaction.execute(_SET, parameters)
