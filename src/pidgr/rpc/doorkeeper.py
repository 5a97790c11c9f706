"""Authentication at the door: what is wrong is counted against the address it came from.

Only a credential nobody was ever given counts, and only such ones are refused for it: an expired
token must go on answering UNAUTHENTICATED, or its holder would not sign in again, and a good one
must pass although a neighbour behind the same address is guessing.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Final

from starlette.requests import Request

from pidgr.errors import ResourceExhaustedError, UnauthenticatedError, UnknownCredentialError
from pidgr.identity.authenticator import Authenticator
from pidgr.identity.caller import Caller
from pidgr.rpc.client_address import client_name
from pidgr.rpc.limits import Limiter, Limits
from pidgr.rpc.pace import Pace

REFUSALS_PER_SECOND: Final = 100
"""Of calls without a good credential, from addresses beyond their allowance; in each process."""

_REMEMBERED_CREDENTIALS: Final = 100_000
_LONGEST_WAIT_SECONDS: Final = 5.0


class Doorkeeper:
    """Recognises callers for RPCs and plain doors alike."""

    def __init__(self, authenticator: Authenticator, limits: Limits) -> None:
        self._authenticator = authenticator
        self._bad = limits.bad_credentials
        self._callers = limits.organizations
        # Refusals beyond an address's allowance, for whatever reason, take turns with those of all
        # addresses: what callers who wait for their answers cost is bounded, however many they are,
        # and good ones have the rest.
        self._refused = limits.refusals
        self._refusals = Pace(REFUSALS_PER_SECOND, _LONGEST_WAIT_SECONDS)
        # Credentials that have been good lately. It decides who waits, never who enters.
        self._good: OrderedDict[bytes, None] = OrderedDict()
        # Where too many made-up credentials come from, unknown ones are checked one at a time:
        # a good one among them gets through, and callers known to be good never wait for them.
        self._doubtful = asyncio.Lock()

    async def recognise(
        self,
        host: str,
        authorization: str | None,
        organization_id: str = "",
        *,
        while_suspended: bool = False,
        applications: bool = False,
        provisioning: bool = False,
    ) -> Caller:
        """Return the caller behind a header value; see :meth:`Authenticator.authenticate`.

        Raises:
            UnauthenticatedError, PermissionDeniedError: as there.
            ResourceExhaustedError: made up, and too many such came from this address lately.
        """
        digest = hashlib.sha256((authorization or "").encode()).digest()
        address = client_name(host)
        trusted = digest in self._good or self._bad.has_room(address)
        try:
            async with nullcontext() if trusted else self._doubtful:
                caller = await self._authenticator.authenticate(
                    authorization,
                    organization_id,
                    while_suspended=while_suspended,
                    applications=applications,
                    provisioning=provisioning,
                )
        except UnauthenticatedError as error:
            self._good.pop(digest, None)
            await self._refuse(address, error)
            raise
        self._remember(digest)
        return caller

    async def _refuse(self, address: str, error: UnauthenticatedError) -> None:
        if self._refused.has_room(address):
            self._refused.take_now(address)
        else:
            await self._refusals.turn()
        if isinstance(error, UnknownCredentialError):
            try:
                self._bad.take_now(address)
            except ResourceExhaustedError as exhausted:
                raise exhausted from error

    async def admit(self, request: Request, *, provisioning: bool = False) -> Caller:
        """Return the caller of a plain door, one call of their allowance taken.

        ``provisioning``: the door is for directories with a SCIM token.

        Raises:
            UnauthenticatedError, PermissionDeniedError, ResourceExhaustedError: as above, and when
                the organization's allowance is used up.
        """
        headers = request.headers
        caller = await self.recognise(
            request.client.host if request.client else "",
            headers.get("authorization"),
            chosen_organization(headers),
            provisioning=provisioning,
        )
        await take_of_caller(self._callers, caller)
        return caller

    def _remember(self, digest: bytes) -> None:
        self._good[digest] = None
        self._good.move_to_end(digest)
        if len(self._good) > _REMEMBERED_CREDENTIALS:
            self._good.popitem(last=False)


def is_noise(error: Exception | None) -> bool:
    """Tell whether a refusal is counted and not logged: a made-up credential beyond the allowance.

    Each within it has its line; beyond, strangers would decide how fast the disk fills.
    """
    return isinstance(error, ResourceExhaustedError) and isinstance(
        error.__cause__, UnknownCredentialError
    )


def chosen_organization(headers: Mapping[str, str]) -> str:
    """Return the organization a person wants to act in, if the request names one."""
    return headers.get("x-org-id") or headers.get("x-pidgr-org-id", "")


async def take_of_caller(limiter: Limiter, caller: Caller) -> None:
    """Count a call against its organization, or against the person who has none.

    Raises:
        ResourceExhaustedError: too many.
    """
    await limiter.take(caller.organization.id if caller.organization else caller.subject)
