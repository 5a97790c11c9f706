"""The few plain HTTP resources beside the RPCs."""

import asyncio
from http import HTTPStatus

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from pidgr.errors import PidgrError
from pidgr.identity.signing_keys import JWKS_MAX_AGE_SECONDS
from pidgr.identity.tokens import json_web_key_set
from pidgr.rpc.health import HealthService
from pidgr.rpc.limits import Limits
from pidgr.rpc.plain_http import limited
from pidgr.storage.sql import Statement
from pidgr.storage.transaction import Reader
from pidgr.system import System

_PING = Statement("select 1")
_READY_WITHIN_SECONDS = 2.0


def pages(system: System, health: HealthService, limits: Limits) -> list[BaseRoute]:
    """Return the routes: liveness, readiness, metrics and the public signing keys."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        problem = await _problem(system, health)
        if problem:
            return JSONResponse({"status": problem}, HTTPStatus.SERVICE_UNAVAILABLE)
        return JSONResponse({"status": "ready"})

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def jwks(_request: Request) -> Response:
        await system.signer.refresh_keys()
        return Response(
            json_web_key_set(system.signer),
            media_type="application/json",
            headers={"cache-control": f"public, max-age={JWKS_MAX_AGE_SECONDS}"},
        )

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/.well-known/jwks.json", limited(limits.documents, jwks)),
    ]


async def _problem(system: System, health: HealthService) -> str:
    """Return why this process should get no traffic now, or nothing."""
    if not health.serving:
        return "starting or draining"

    def ping(reader: Reader) -> None:
        reader.value(_PING)

    try:
        async with asyncio.timeout(_READY_WITHIN_SECONDS):
            await system.database.read(ping, heavy=True)
    except (PidgrError, TimeoutError):
        return "the database does not answer"
    return ""
