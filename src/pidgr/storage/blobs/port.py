"""What the application may know of where blobs are kept.

A blob has a name of segments such as ``ORGANIZATION_ID/screenshots/3f0c.png``, and whatever belongs
to an organization begins with its id, so that it can go with it. A name never tells about a person.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Final, Protocol, Self

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_LONGEST_NAME: Final = 500
_LONGEST_SEGMENT: Final = 200
# What S3 deletes by one request.
_DELETED_AT_ONCE: Final = 1_000

CHUNK_BYTES: Final = 256 * 1024
"""About how much a reader gets at a time."""


class BlobMissingError(LookupError):
    """No blob has this name, or not any more."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob in a listing: its name, its size in bytes, when it was last put in microseconds."""

    name: str
    size: int
    modified_at: int


class Content:
    """The content of one blob, read once. A context manager, so that nothing stays open.

    Args:
        size: in bytes.
        chunks: the content in parts.
        close: releases what it is read from.
    """

    def __init__(self, size: int, chunks: Iterator[bytes], close: Callable[[], None]) -> None:
        self.size: Final = size
        self._chunks = chunks
        self._close = close

    def __iter__(self) -> Iterator[bytes]:
        """Yield the content in parts; raises UnavailableError when it cannot be read on."""
        return self._chunks

    def read(self) -> bytes:
        """Return all of it."""
        return b"".join(self._chunks)

    def close(self) -> None:
        """Release what it is read from; harmless to repeat."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class BlobStore(Protocol):
    """Keeps blobs by name. One object per process, safe to use from several threads.

    Every method raises ``ValueError`` for a name that :func:`check_name` refuses, a defect of the
    caller, and ``UnavailableError`` when the place cannot be reached or refuses.
    """

    def put(self, name: str, content: bytes | Iterable[bytes]) -> None:
        """Store a blob under a name, instead of what was there.

        When it returns the blob is on the disk. Until then, and if the content raises or the
        process dies, the name holds what it held before: never a part. A name must not be the
        folder of another.
        """

    def get(self, name: str) -> Content:
        """Open a blob; what is put or deleted meanwhile does not change what is read.

        Raises:
            BlobMissingError: nothing has this name.
        """

    def delete(self, *names: str) -> None:
        """Delete blobs, at most 1,000 in a call. Names of nothing are ignored."""

    def list(self, folder: str = "") -> Iterator[Blob]:
        """Yield the blobs whose names begin with whole segments, in no particular order.

        ``a/b`` lists ``a/b/c`` and ``a/b/c/d``, neither ``a/b`` itself nor ``a/bc``.
        """


def check_name(name: str) -> str:
    """Return a name that is safe as a path and in a URL: lower case segments with - _ . in them.

    Raises:
        ValueError: it is not.
    """
    if (
        len(name) > _LONGEST_NAME
        or _NAME.fullmatch(name) is None
        or any(len(segment) > _LONGEST_SEGMENT for segment in name.split("/"))
    ):
        message = f"not the name of a blob: {name[:80]!r}"
        raise ValueError(message)
    return name


def delete_under(store: BlobStore, folder: str) -> int:
    """Delete every blob of a folder and return how many; harmless to repeat.

    Raises:
        UnavailableError: the place cannot be reached; some may be left.
    """
    deleted = 0
    while names := [blob.name for blob in islice(store.list(folder), _DELETED_AT_ONCE)]:
        store.delete(*names)
        deleted += len(names)
    return deleted
