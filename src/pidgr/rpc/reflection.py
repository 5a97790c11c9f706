"""gRPC server reflection: tells tools what services there are and what they are called with."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, Final

from protobuf import DescService
from starlette.types import ASGIApp, Receive, Scope, Send

_PATHS: Final = tuple(
    f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    for version in ("v1", "v1alpha")
)


class Reflection:
    """Both versions of the service.

    They are made for the first question: the library brings a client along that takes 3 MB.
    """

    def __init__(self, descriptions: Sequence[DescService], **options: Any) -> None:  # noqa: ANN401
        """Take what to describe, and the options of the protocol library's applications."""
        self._descriptions = descriptions
        self._options = options

    def rpcs(self) -> dict[str, ASGIApp]:
        """Return the application by the paths it serves."""
        return dict.fromkeys(_PATHS, self)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a question."""
        await self._apps[scope["path"]](scope, receive, send)

    @cached_property
    def _apps(self) -> dict[str, ASGIApp]:
        import connectrpc_grpcreflect as library  # noqa: PLC0415 - see the class

        services = self._descriptions
        apps: Iterable[ASGIApp] = (
            library.ServerReflectionASGIApplication(
                library.ServerReflectionService(*services), **self._options
            ),
            library.ServerReflectionAlphaASGIApplication(
                library.ServerReflectionAlphaService(*services), **self._options
            ),
        )
        return dict(zip(_PATHS, apps, strict=True))
