"""Files beside the database: pictures of screens, segments of recordings, finished exports.

One interface, two places: a directory, or a bucket of an S3-compatible service
(docs/decisions/0014-blobs.md). Methods block, so the event loop calls them in a thread, and no
transaction waits for them.
"""

from pidgr.storage.blobs.files import FileBlobs
from pidgr.storage.blobs.port import (
    Blob,
    BlobMissingError,
    BlobStore,
    Content,
    check_name,
    delete_under,
)
from pidgr.storage.blobs.setup import build_blobs

__all__ = [
    "Blob",
    "BlobMissingError",
    "BlobStore",
    "Content",
    "FileBlobs",
    "build_blobs",
    "check_name",
    "delete_under",
]
