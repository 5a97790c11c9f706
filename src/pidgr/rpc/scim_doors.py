"""Where directories find SCIM: ``/scim/v2/...``."""

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from pidgr.rpc.doorkeeper import Doorkeeper
from pidgr.system import System

if TYPE_CHECKING:
    from pidgr.rpc.scim_endpoint import Endpoint

PATH: Final = "/scim/v2"

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def scim_doors(system: System, doorkeeper: Doorkeeper) -> list[BaseRoute]:
    """Return the route: one, so that what is not offered is refused in SCIM's words too."""

    @cache
    def load() -> "Endpoint":
        # The library takes half a second to load, for which no server should wait whose members
        # nobody provisions.
        from pidgr.rpc.scim_endpoint import scim_endpoint  # noqa: PLC0415

        return scim_endpoint(system, doorkeeper, system.settings.issuer.rstrip("/") + PATH)

    async def answer(request: Request) -> Response:
        endpoint = await asyncio.to_thread(load)
        return await endpoint(request)

    return [Route(f"{PATH}/{{path:path}}", answer, methods=_METHODS)]
