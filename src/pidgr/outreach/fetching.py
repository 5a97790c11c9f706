"""Small documents that tenants name by URL, and forms sent to such addresses.

In threads of their own: a slow peer may hold all of them and nobody but those who also wait for
peers notices.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar
from urllib.parse import urlencode

from pidgr.outreach.address_guard import AddressGuard, AddressRefusedError
from pidgr.outreach.http_reply import ExchangeError, Reply
from pidgr.outreach.vetted_http import VettedHttp

_SECONDS: Final = 10.0
_LARGEST: Final = 1 << 20
_THREADS: Final = 8
_OK: Final = 200
_NO_HEADERS: Final[Mapping[str, str]] = {}

Result = TypeVar("Result")


class FetchError(Exception):
    """There is no such document; the sentence says why. ``status`` is None without an answer."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Fetcher:
    """Fetches by the address guard's rules: no redirects, no proxies, a deadline, a size."""

    def __init__(
        self, guard: AddressGuard, *, seconds: float = _SECONDS, largest: int = _LARGEST
    ) -> None:
        """Take how long an answer may take and how many bytes it may have."""
        self._guard = guard
        self._seconds = seconds
        self._largest = largest
        self._http = VettedHttp()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="pidgr-fetch")

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def get(self, url: str, headers: Mapping[str, str] = _NO_HEADERS) -> bytes:
        """Return the document at a URL.

        Raises:
            FetchError: the URL leads where this server does not go, or to no document.
        """
        reply = await self._exchange("GET", url, headers)
        if reply.status != _OK:
            raise FetchError(f"it answered with status {reply.status}", reply.status)
        return reply.body

    async def post_form(
        self, url: str, fields: Mapping[str, str], headers: Mapping[str, str]
    ) -> Reply:
        """Send a form and return whatever is answered.

        Raises:
            FetchError: the URL leads where this server does not go, or nothing answers there.
        """
        content = urlencode(fields).encode()
        sent = {
            **headers,
            "content-type": "application/x-www-form-urlencoded",
            "content-length": str(len(content)),
        }
        return await self._exchange("POST", url, sent, content)

    async def vet(self, url: str) -> None:
        """Check where a URL leads without going there.

        Raises:
            FetchError: where this server does not go.
        """
        await self._in_thread(lambda: self._guard.vet(url))

    async def _exchange(
        self, method: str, url: str, headers: Mapping[str, str] = _NO_HEADERS, content: bytes = b""
    ) -> Reply:
        def work() -> Reply:
            return self._http.exchange(
                method,
                self._guard.vet(url),
                headers=headers,
                content=iter((content,)) if content else None,
                seconds=self._seconds,
                most_bytes=self._largest + 1,
            )

        reply = await self._in_thread(work)
        if len(reply.body) > self._largest:
            raise FetchError(f"its answer is larger than {self._largest >> 20} MiB")
        return reply

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work)
        except (AddressRefusedError, ExchangeError) as error:
            raise FetchError(str(error)) from error
