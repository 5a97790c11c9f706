"""HTTP over connections to given addresses, each operation of which ends by one deadline."""

import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import httpcore

from pidgr.outreach.address_guard import Target
from pidgr.outreach.http_reply import ExchangeError, Reply

_CONNECT_SECONDS: Final = 10.0
# The largest TLS record, and little enough that a socket ready to send takes it whole: each of them
# gets what is left of the time.
_WRITE_BYTES: Final = 16 * 1024


def exchange(
    method: str,
    target: Target,
    *,
    tls: ssl.SSLContext,
    headers: Mapping[str, str],
    content: Iterator[bytes] | None,
    seconds: float,
    most_bytes: int,
) -> Reply:
    """Send a request and return the answer; see ``VettedHttp``.

    Raises:
        ExchangeError: no connection, no answer in time, or not HTTP.
    """
    pinned = _PinnedNetwork(target.addresses, time.monotonic() + seconds)
    url = httpcore.URL(
        scheme=target.url.raw_scheme,
        host=target.url.raw_host,
        port=target.port,
        target=target.url.raw_path,
    )
    pool = httpcore.ConnectionPool(
        ssl_context=tls, network_backend=pinned, max_keepalive_connections=0
    )
    try:
        with (
            pool,
            pool.stream(
                method,
                url,
                headers=[(b"Host", target.url.netloc), *_encoded(headers)],
                content=content,
                extensions={"timeout": {"connect": _CONNECT_SECONDS}},
            ) as response,
        ):
            body = _first_bytes(response.iter_stream(), most_bytes)
            return Reply(response.status, _decoded(response.headers), body)
    except httpcore.TimeoutException as error:
        raise ExchangeError("it did not answer in time") from error
    except httpcore.ConnectError as error:
        # The operating system's or the TLS library's own words.
        raise ExchangeError(f"no connection: {error}") from error
    except httpcore.NetworkError as error:
        raise ExchangeError("the connection broke") from error
    except httpcore.RemoteProtocolError as error:
        raise ExchangeError("it does not speak HTTP") from error


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def _decoded(headers: Sequence[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("ascii").lower(): value.decode("latin-1") for name, value in headers}


def _first_bytes(parts: Iterable[bytes], most: int) -> bytes:
    found = b""
    for part in parts:
        found += part
        if len(found) >= most:
            break
    return found[:most]


class _PinnedNetwork(httpcore.NetworkBackend):
    """Connects to given addresses, whatever host it is asked for, until a deadline."""

    def __init__(self, addresses: Sequence[str], deadline: float) -> None:
        self._addresses = addresses
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        del host, timeout
        until = min(time.monotonic() + _CONNECT_SECONDS, self._deadline)
        last: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for number, address in enumerate(self._addresses):
            # Each gets its share of what is left, so that one that swallows packets leaves time.
            share = (until - time.monotonic()) / (len(self._addresses) - number)
            try:
                stream = self._network.connect_tcp(
                    address, port, max(share, 0.001), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
            else:
                return _DeadlineStream(stream, self._deadline)
        assert last is not None  # noqa: S101 - the guard gives at least one address
        raise last


class _DeadlineStream(httpcore.NetworkStream):
    """A connection whose every operation ends with the exchange's deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        del timeout
        return self._stream.read(max_bytes, self._left(httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        del timeout
        for start in range(0, len(buffer), _WRITE_BYTES):
            part = buffer[start : start + _WRITE_BYTES]
            self._stream.write(part, self._left(httpcore.WriteTimeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        del timeout
        left = min(self._left(httpcore.ConnectTimeout), _CONNECT_SECONDS)
        stream = self._stream.start_tls(ssl_context, server_hostname, left)
        return _DeadlineStream(stream, self._deadline)

    def _left(self, expired: type[httpcore.TimeoutException]) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise expired
        return left

    def close(self) -> None:
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - the library's own signature
        return self._stream.get_extra_info(info)
