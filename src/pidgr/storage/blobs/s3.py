"""Blobs as objects in a bucket of Amazon S3 or a service that speaks its protocol."""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from obstore.exceptions import BaseError
from obstore.store import S3Store

from pidgr.clock import from_datetime
from pidgr.errors import UnavailableError
from pidgr.storage.blobs.port import CHUNK_BYTES, Blob, BlobMissingError, Content, check_name

if TYPE_CHECKING:
    from obstore.store import S3Config

# One request, and everything together when it is tried again.
_REQUEST_SECONDS: Final = 30
_RETRY_SECONDS: Final = 60
_ATTEMPTS: Final = 4

log = structlog.get_logger("pidgr.blobs")


class S3Blobs:
    """Keeps each blob as an object of its name. Large content goes up in parts.

    Args:
        bucket: its name.
        folder: in front of every name; empty for none.
        endpoint: URL of the service; empty means Amazon's, in the region.
        region: of the bucket.
        access_key_id: empty means what the environment or the machine provides.
        secret_access_key: its secret.
    """

    def __init__(
        self,
        bucket: str,
        folder: str = "",
        *,
        endpoint: str = "",
        region: str = "us-east-1",
        access_key_id: str = "",
        secret_access_key: str = "",
    ) -> None:
        config: S3Config = {"region": region}
        if endpoint:
            config["endpoint"] = endpoint
        if access_key_id:
            config["access_key_id"] = access_key_id
            config["secret_access_key"] = secret_access_key
        self._store = S3Store(
            bucket,
            prefix=folder or None,
            config=config,
            client_options={
                "allow_http": endpoint.startswith("http://"),
                "timeout": timedelta(seconds=_REQUEST_SECONDS),
            },
            retry_config={
                "max_retries": _ATTEMPTS - 1,
                "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
            },
        )

    def put(self, name: str, content: bytes | Iterable[bytes]) -> None:
        """Store a blob, see :class:`BlobStore`."""
        check_name(name)
        with _reaching():
            self._store.put(name, content if isinstance(content, bytes) else iter(content))

    def get(self, name: str) -> Content:
        """Open a blob, see :class:`BlobStore`."""
        check_name(name)
        with _reaching():
            try:
                found = self._store.get(name)
            except FileNotFoundError:
                raise BlobMissingError(name) from None
            chunks = found.stream(min_chunk_size=CHUNK_BYTES)
            return Content(found.meta["size"], _chunks(chunks), lambda: None)

    def delete(self, *names: str) -> None:
        """Delete blobs, see :class:`BlobStore`."""
        checked = [check_name(name) for name in names]
        with _reaching(), contextlib.suppress(FileNotFoundError):
            self._store.delete(checked)

    def list(self, folder: str = "") -> Iterator[Blob]:
        """Yield the blobs of a folder, see :class:`BlobStore`."""
        if folder:
            check_name(folder)
        with _reaching():
            for some in self._store.list(folder or None):
                for found in some:
                    yield Blob(found["path"], found["size"], from_datetime(found["last_modified"]))


def _chunks(stream: Iterator[bytes]) -> Iterator[bytes]:
    with _reaching():
        for chunk in stream:
            yield bytes(chunk)


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    # The second means that there is no such bucket.
    except (BaseError, FileNotFoundError) as error:
        # The library's text quotes the service, which may quote the request; keys are not in it.
        log.exception("the bucket of blobs failed", problem=type(error).__name__)
        message = "files cannot be stored or read now; try again shortly"
        raise UnavailableError(message) from error
