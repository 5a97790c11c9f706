"""Where browsers sign up for pushes: ``/push/web/...``, with a person's credential.

``GET /push/web/key`` answers ``{"public_key"}``, what ``pushManager.subscribe()`` takes as
``applicationServerKey``. ``POST /push/web/subscriptions`` takes ``{"subscription"}``, what
``toJSON()`` makes of the outcome, and answers ``{"id"}``; ``GET`` lists the person's own;
``POST /push/web/subscriptions/remove`` takes ``{"id"}``.
"""

from typing import Final

from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from pidgr.clock import SECOND
from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.rpc.plain_http import Answer, Fields, door
from pidgr.system import System

_PREFIX: Final = "push/web"
_SUBSCRIPTIONS: Final = f"{_PREFIX}/subscriptions"


def web_push_doors(system: System, doorkeeper: Doorkeeper) -> list[BaseRoute]:
    """Return the routes."""
    doors = _WebPushDoors(system, doorkeeper)
    return [
        Route(f"/{name}", door(name, None, handler), methods=[method])
        for name, method, handler in (
            (f"{_PREFIX}/key", "GET", doors.key),
            (_SUBSCRIPTIONS, "GET", doors.list),
            (_SUBSCRIPTIONS, "POST", doors.register),
            (f"{_SUBSCRIPTIONS}/remove", "POST", doors.remove),
        )
    ]


class _WebPushDoors:
    def __init__(self, system: System, doorkeeper: Doorkeeper) -> None:
        self._web_push = system.web_push
        self._public_key = system.vapid.public_key
        self._doorkeeper = doorkeeper

    async def key(self, request: Request) -> Answer:
        """Tell the public key of this server."""
        (await self._doorkeeper.admit(request)).member()
        return {"public_key": self._public_key}

    async def register(self, request: Request) -> Answer:
        """Take a subscription."""
        caller = await self._doorkeeper.admit(request)
        values = (await Fields.of(request)).object("subscription")
        return {"id": await self._web_push.register(caller, values)}

    async def list(self, request: Request) -> Answer:
        """Show the person's subscriptions."""
        caller = await self._doorkeeper.admit(request)
        found = await self._web_push.subscriptions(caller)
        return {
            "subscriptions": [
                {
                    "id": one.id,
                    "created_at": one.created_at // SECOND,
                    "last_seen_at": one.last_seen_at // SECOND,
                }
                for one in found
            ]
        }

    async def remove(self, request: Request) -> Answer:
        """Forget a subscription."""
        caller = await self._doorkeeper.admit(request)
        await self._web_push.remove(caller, (await Fields.of(request)).text("id"))
        return {}
