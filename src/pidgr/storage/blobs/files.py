"""Blobs as files below a directory."""

import contextlib
import errno
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from pidgr.errors import UnavailableError
from pidgr.storage.blobs.port import CHUNK_BYTES, Blob, BlobMissingError, Content, check_name

# Names never begin with a dot, so this directory is in nobody's way.
_SCRATCH: Final = ".incoming"
# What a process that died left in it goes once no upload can still be writing there.
_SCRATCH_SECONDS: Final = 86_400
# A folder that was emptied goes; whoever was about to put something there makes it again.
_ATTEMPTS: Final = 20

log = structlog.get_logger("pidgr.blobs")


class FileBlobs:
    """Keeps each blob in a file of its name, written aside, synchronised, and moved into place.

    Args:
        root: the directory. It is made when first needed; several processes may share it.
    """

    def __init__(self, root: Path) -> None:
        self.root: Final = root
        self._sweep()

    def put(self, name: str, content: bytes | Iterable[bytes]) -> None:
        """Store a blob, see :class:`BlobStore`."""
        target = self.root / check_name(name)
        with _reaching():
            scratch = self.root / _SCRATCH / uuid.uuid4().hex
            _make_folder(scratch.parent)
            try:
                _write(scratch, (content,) if isinstance(content, bytes) else content)
                self._place(scratch, target)
            finally:
                scratch.unlink(missing_ok=True)

    def get(self, name: str) -> Content:
        """Open a blob, see :class:`BlobStore`."""
        path = self.root / check_name(name)
        with _reaching():
            try:
                file = path.open("rb")
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise BlobMissingError(name) from None
            return Content(os.fstat(file.fileno()).st_size, _chunks(file), file.close)

    def delete(self, *names: str) -> None:
        """Delete blobs, see :class:`BlobStore`."""
        paths = [self.root / check_name(name) for name in names]
        with _reaching():
            for path in paths:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()
                self._prune(path.parent)

    def list(self, folder: str = "") -> Iterator[Blob]:
        """Yield the blobs of a folder, see :class:`BlobStore`."""
        top = self.root / check_name(folder) if folder else self.root
        with _reaching():
            yield from self._below(top)

    def _below(self, folder: Path) -> Iterator[Blob]:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return
        for entry in entries:
            if entry.name == _SCRATCH:
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(Path(entry.path))
            else:
                # Whatever is deleted meanwhile is not listed.
                with contextlib.suppress(FileNotFoundError):
                    known = entry.stat(follow_symlinks=False)
                    name = Path(entry.path).relative_to(self.root).as_posix()
                    yield Blob(name, known.st_size, known.st_mtime_ns // 1_000)

    def _place(self, scratch: Path, target: Path) -> None:
        """Move a finished file to its name, and make that durable."""
        for attempt in range(_ATTEMPTS):
            try:
                _make_folder(target.parent)
                scratch.replace(target)
                break
            # The folder was removed between two steps: making it finds it there and not there.
            except (FileNotFoundError, FileExistsError):
                if attempt == _ATTEMPTS - 1:
                    raise
        # Every folder on the way may be new; one that is gone by now was deleted with the blob.
        for folder in _upwards(target.parent, self.root):
            with contextlib.suppress(FileNotFoundError):
                _synchronise(folder)

    def _prune(self, folder: Path) -> None:
        """Remove folders that have become empty."""
        for one in _upwards(folder, self.root):
            try:
                if one != self.root:
                    one.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}:
                    raise
                return

    def _sweep(self) -> None:
        oldest = time.time() - _SCRATCH_SECONDS
        with contextlib.suppress(OSError):
            for left in os.scandir(self.root / _SCRATCH):
                if left.stat().st_mtime < oldest:
                    Path(left.path).unlink(missing_ok=True)


def _write(path: Path, parts: Iterable[bytes]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    with _reaching():
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _upwards(folder: Path, root: Path) -> Iterator[Path]:
    """Yield a folder and those above it, the root last."""
    while folder != root:
        yield folder
        folder = folder.parent
    yield root


def _synchronise(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _reaching() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        log.exception("the directory of blobs failed", problem=error.strerror)
        message = "files cannot be stored or read now; try again shortly"
        raise UnavailableError(message) from error
