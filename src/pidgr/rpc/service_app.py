"""A service of the contract as an application, made from its description.

The generated modules hold such applications too. They define clients beside them, and load the
library's HTTP client: 6 MB that a server has no use for.
"""

from collections.abc import Iterable
from typing import Any, Final

from connectrpc.compression import Compression
from connectrpc.interceptor import Interceptor
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from connectrpc.server import ConnectASGIApplication, Endpoint
from protobuf import DescMethod, DescService

from pidgr.rpc.binding import snake_case

# Without side effects a call may come as a GET.
_LEVELS: Final = {
    "NO_SIDE_EFFECTS": IdempotencyLevel.NO_SIDE_EFFECTS,
    "IDEMPOTENT": IdempotencyLevel.IDEMPOTENT,
}


class ServiceApp(ConnectASGIApplication[object]):
    """Serves the RPCs of one service, whose functions carry their names in snake case."""

    def __init__(
        self,
        description: DescService,
        service: object,
        *,
        interceptors: Iterable[Interceptor] = (),
        read_max_bytes: int | None = None,
        compressions: Iterable[Compression] | None = None,
    ) -> None:
        """Take what to serve; the options are the library's."""
        super().__init__(
            service=service,
            endpoints=lambda service: {
                f"{self.path}/{method.name}": _endpoint(method, service)
                for method in description.methods
            },
            interceptors=interceptors,
            read_max_bytes=read_max_bytes,
            compressions=compressions,
        )
        self._path = f"/{description.type_name}"

    @property
    def path(self) -> str:
        """What the paths of the RPCs begin with."""
        return self._path


def _endpoint(method: DescMethod, service: object) -> Any:  # noqa: ANN401 - one of four classes
    """Return the endpoint of a method, which answers with one message or with a stream of them."""
    function = getattr(service, snake_case(method.name))
    streams = method.method_kind == "server_streaming"
    info: MethodInfo[Any, Any] = MethodInfo(
        name=method.name,
        service_name=method.parent.type_name,
        input=method.input.type,
        output=method.output.type,
        idempotency_level=_LEVELS.get(str(method.idempotency), IdempotencyLevel.UNKNOWN),
        stream_type=StreamType.SERVER_STREAM if streams else StreamType.UNARY,
    )
    return (Endpoint.server_stream if streams else Endpoint.unary)(info, function)
