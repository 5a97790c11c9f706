"""``grpc.health.v1`` for load balancers that speak gRPC; ``/readyz`` asks the same state."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext

from pidgr.contract.health.health_pb import (
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListRequest,
    HealthListResponse,
)

Status = HealthCheckResponse.ServingStatus


class HealthService:
    """Every service of the process has one state: serving, or not yet or no longer."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = frozenset(services) | {""}
        self._serving = False
        self._drain = asyncio.Event()

    def open(self) -> None:
        """Say from now on that calls are welcome."""
        self._serving = True

    def drain(self) -> None:
        """Say that calls are not welcome any more, and end every watch. Harmless to repeat."""
        self._serving = False
        self._drain.set()

    @property
    def serving(self) -> bool:
        """Whether calls are welcome."""
        return self._serving

    def _status(self, service: str) -> Status:
        if service not in self._services:
            return Status.SERVICE_UNKNOWN
        return Status.SERVING if self._serving else Status.NOT_SERVING

    async def check(
        self, request: HealthCheckRequest, ctx: RequestContext[Any, Any], /
    ) -> HealthCheckResponse:
        """Answer one look.

        Raises:
            ConnectError: NOT_FOUND for a service this server does not have.
        """
        del ctx
        status = self._status(request.service)
        if status == Status.SERVICE_UNKNOWN:
            raise ConnectError(Code.NOT_FOUND, "unknown service")
        return HealthCheckResponse(status=status)

    async def list(
        self, request: HealthListRequest, ctx: RequestContext[Any, Any], /
    ) -> HealthListResponse:
        """Answer every service's status."""
        del request, ctx
        return HealthListResponse(
            statuses={
                name: HealthCheckResponse(status=self._status(name)) for name in self._services
            }
        )

    async def watch(
        self, request: HealthCheckRequest, ctx: RequestContext[Any, Any], /
    ) -> AsyncIterator[HealthCheckResponse]:
        """Answer the status now and at its change, which is this server's end.

        Raises:
            ConnectError: UNAVAILABLE after that; an open watch would hold up the end.
        """
        del ctx
        status = self._status(request.service)
        yield HealthCheckResponse(status=status)
        await self._drain.wait()
        if status != Status.SERVICE_UNKNOWN:
            yield HealthCheckResponse(status=Status.NOT_SERVING)
        raise ConnectError(Code.UNAVAILABLE, "the server is going away")
