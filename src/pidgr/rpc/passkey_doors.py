"""Passkeys as JSON: ``/auth/passkey/...``.

================================  ==================================  ===========================
POST                              request                             answer
================================  ==================================  ===========================
``/auth/passkey/sign-in/options``  ``{}``                             ``public_key, expires_in``
``/auth/passkey/sign-in/verify``   ``credential, organization_id?``   tokens
``/auth/passkey/options``          ``{}``, by a person                ``public_key, expires_in``
``/auth/passkey/verify``           ``credential, name?``, likewise    ``passkey``
``/auth/passkey/rename``           ``id, name``, likewise             ``passkey``
``/auth/passkey/revoke``           ``id``, likewise                   ``{}``
================================  ==================================  ===========================

``GET /auth/passkey`` lists the person's. ``public_key`` is for ``parseCreationOptionsFromJSON()``
or ``parseRequestOptionsFromJSON()``, ``credential`` what ``toJSON()`` makes of the outcome
(WebAuthn Level 3, 5.1). Making and revoking a key need a sign-in of the last five minutes, so that
a stolen token is no way to stay.
"""

from typing import Final

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from pidgr.clock import SECOND
from pidgr.directory import passkey_notices
from pidgr.errors import PermissionDeniedError
from pidgr.identity.caller import Caller
from pidgr.identity.passkeys.enrolment import CHALLENGE_LIFETIME
from pidgr.identity.passkeys.passkey_store import Passkey
from pidgr.identity.sign_in_method import OTP, SSO
from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.rpc.interceptors import require_fresh_sign_in
from pidgr.rpc.limits import Limiter, Limits
from pidgr.rpc.plain_http import Answer, Fields, Handler, door
from pidgr.rpc.sign_in_doors import token_answer
from pidgr.system import System

_PREFIX: Final = "auth/passkey"


def passkey_doors(system: System, doorkeeper: Doorkeeper, limits: Limits) -> list[BaseRoute]:
    """Return the routes."""
    doors = _PasskeyDoors(system, doorkeeper)
    posts: dict[str, tuple[Limiter | None, Handler]] = {
        f"{_PREFIX}/sign-in/options": (limits.sign_in, doors.sign_in_options),
        f"{_PREFIX}/sign-in/verify": (limits.sign_in, doors.sign_in),
        f"{_PREFIX}/options": (None, doors.options),
        f"{_PREFIX}/verify": (None, doors.add),
        f"{_PREFIX}/rename": (None, doors.rename),
        f"{_PREFIX}/revoke": (None, doors.revoke),
    }
    return [
        Route(f"/{_PREFIX}", door(_PREFIX, None, doors.list), methods=["GET"]),
        *(
            Route(f"/{name}", door(name, limiter, handler), methods=["POST"])
            for name, (limiter, handler) in posts.items()
        ),
    ]


class _PasskeyDoors:
    def __init__(self, system: System, doorkeeper: Doorkeeper) -> None:
        self._system = system
        self._doorkeeper = doorkeeper

    async def sign_in_options(self, request: Request) -> Answer:
        """Set anybody a challenge."""
        await Fields.of(request)
        return _options(await self._system.passkey_sign_in.options())

    async def sign_in(self, request: Request) -> Answer:
        """Open a session."""
        fields = await Fields.of(request)
        tokens = await self._system.passkey_sign_in.verify(
            fields.object("credential"), fields.text("organization_id", required=False)
        )
        return token_answer(tokens)

    async def options(self, request: Request) -> Answer:
        """Begin a new key."""
        caller = await self._person(request, fresh=True)
        return _options(await self._system.passkeys.options(caller.subject, _method(caller)))

    async def add(self, request: Request) -> Answer:
        """Take the new key."""
        caller = await self._person(request, fresh=True)
        fields = await Fields.of(request)
        made = await self._system.passkeys.add(
            caller.subject,
            _method(caller),
            fields.object("credential"),
            fields.text("name", required=False),
        )
        now = self._system.clock.now()
        await self._system.database.write(
            lambda transaction: passkey_notices.note_everywhere(transaction, caller.subject, now)
        )
        return {"passkey": _passkey(made)}

    async def list(self, request: Request) -> Answer:
        """Show the person's keys."""
        caller = await self._person(request)
        found = await self._system.passkeys.passkeys(caller.subject)
        return {"passkeys": [_passkey(one) for one in found]}

    async def rename(self, request: Request) -> Answer:
        """Give a key another name."""
        caller = await self._person(request)
        fields = await Fields.of(request)
        renamed = await self._system.passkeys.rename(
            caller.subject, fields.text("id"), fields.text("name")
        )
        return {"passkey": _passkey(renamed)}

    async def revoke(self, request: Request) -> Answer:
        """Forget a key."""
        caller = await self._person(request, fresh=True)
        passkey_id = (await Fields.of(request)).text("id")
        await self._system.passkeys.revoke(caller.subject, _method(caller), passkey_id)
        return {}

    async def _person(self, request: Request, *, fresh: bool = False) -> Caller:
        caller = await self._doorkeeper.admit(request)
        if not caller.subject:
            raise PermissionDeniedError("this call is for signed-in people, not API keys")
        if SSO in caller.methods:
            # A passkey opens every organization of a person; a provider speaks for one.
            message = "sign in by a code or a passkey to see to your passkeys"
            raise PermissionDeniedError(message)
        if fresh:
            require_fresh_sign_in(caller, self._system.clock.now())
        return caller


def _method(caller: Caller) -> str:
    return OTP if OTP in caller.methods else ""


def _options(public_key: Answer) -> Answer:
    return {"public_key": public_key, "expires_in": CHALLENGE_LIFETIME // SECOND}


def _passkey(passkey: Passkey) -> Answer:
    used = passkey.last_used_at
    return {
        "id": passkey.id,
        "name": passkey.name,
        "created_at": passkey.created_at // SECOND,
        "last_used_at": used // SECOND if used is not None else None,
        "synced": passkey.synced,
        "suspected": passkey.suspected_at is not None,
    }
