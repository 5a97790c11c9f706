"""The doors a person comes in by, which the contract leaves open: ``/auth/...``.

========================  ============================================  ============================
POST                      request                                       answer
========================  ============================================  ============================
``/auth/code``            ``email``                                     ``attempt_id, expires_in``
``/auth/verify``          ``attempt_id, code, organization_id?``        tokens
``/auth/refresh``         ``refresh_token, organization_id?, attempt?`` tokens
``/auth/sign-out``        ``refresh_token, everywhere?``                ``{}``
``/auth/policy``          ``otp_disabled``, with a credential           ``otp_disabled``
========================  ============================================  ============================

Tokens are ``access_token, token_type, expires_in, refresh_token, refresh_expires_at,
organization_id, user_id, organizations: [{id, name}]``; lifetimes are seconds, moments seconds
since 1970. ``GET /auth/policy`` reads the policy.
"""

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from pidgr.clock import SECOND
from pidgr.contract.v1.common_pb import Permission
from pidgr.identity import sign_in_policy
from pidgr.identity.sessions import Tokens
from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.rpc.limits import Limiter, Limits
from pidgr.rpc.plain_http import Answer, Fields, Handler, door
from pidgr.system import System


def sign_in_doors(system: System, doorkeeper: Doorkeeper, limits: Limits) -> list[BaseRoute]:
    """Return the routes."""
    posts: dict[str, tuple[Limiter | None, Handler]] = {
        "auth/code": (limits.sign_in, _request_code(system)),
        "auth/verify": (limits.sign_in, _verify_code(system)),
        "auth/refresh": (limits.sign_in, _refresh(system)),
        "auth/sign-out": (limits.sign_in, _sign_out(system)),
        "auth/policy": (None, _set_policy(system, doorkeeper)),
    }
    policy = _get_policy(system, doorkeeper)
    return [
        Route("/auth/policy", door("auth/policy", None, policy), methods=["GET"]),
        *(
            Route(f"/{name}", door(name, limiter, handler), methods=["POST"])
            for name, (limiter, handler) in posts.items()
        ),
    ]


def _request_code(system: System) -> Handler:
    async def handle(request: Request) -> Answer:
        fields = await Fields.of(request)
        requested = await system.sign_in.request_code(fields.text("email"))
        return {
            "attempt_id": requested.attempt_id,
            "expires_in": requested.lifetime // SECOND,
        }

    return handle


def _verify_code(system: System) -> Handler:
    async def handle(request: Request) -> Answer:
        fields = await Fields.of(request)
        tokens = await system.sign_in.verify_code(
            fields.text("attempt_id"),
            fields.text("code"),
            fields.text("organization_id", required=False),
        )
        return token_answer(tokens)

    return handle


def _refresh(system: System) -> Handler:
    async def handle(request: Request) -> Answer:
        fields = await Fields.of(request)
        tokens = await system.sessions.refresh(
            fields.text("refresh_token"),
            fields.text("organization_id", required=False),
            fields.text("attempt", required=False),
        )
        return token_answer(tokens)

    return handle


def _sign_out(system: System) -> Handler:
    async def handle(request: Request) -> Answer:
        fields = await Fields.of(request)
        await system.sessions.sign_out(
            fields.text("refresh_token"), everywhere=fields.flag("everywhere")
        )
        return {}

    return handle


def _get_policy(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        caller = await doorkeeper.admit(request)
        caller.require(Permission.ORG_READ)
        disabled = await system.database.read(
            lambda reader: sign_in_policy.otp_disabled(reader, caller.organization_key)
        )
        return {"otp_disabled": disabled}

    return handle


def _set_policy(system: System, doorkeeper: Doorkeeper) -> Handler:
    async def handle(request: Request) -> Answer:
        caller = await doorkeeper.admit(request)
        disabled = (await Fields.of(request)).flag("otp_disabled", required=True)
        await system.database.write(
            lambda transaction: sign_in_policy.set_otp_disabled(
                transaction, caller, disabled=disabled
            )
        )
        return {"otp_disabled": disabled}

    return handle


def token_answer(tokens: Tokens) -> Answer:
    """Return tokens as every door gives them."""
    return {
        "access_token": tokens.access_token,
        "token_type": "Bearer",
        "expires_in": tokens.lifetime // SECOND,
        "refresh_token": tokens.refresh_token,
        "refresh_expires_at": tokens.session_expires_at // SECOND,
        "organization_id": tokens.organization_id,
        "user_id": tokens.user_id,
        "organizations": [{"id": one, "name": name} for one, name in tokens.organizations],
    }
