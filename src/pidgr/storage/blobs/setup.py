"""Chooses where blobs are kept."""

from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from pidgr.errors import SetupError
from pidgr.settings import Settings
from pidgr.storage.blobs.files import FileBlobs
from pidgr.storage.blobs.port import BlobStore, check_name

_FORMS: Final = "PIDGR_BLOB_URL is file:///DIRECTORY or s3://BUCKET/FOLDER"


def build_blobs(settings: Settings) -> BlobStore:
    """Return the place the settings name; nothing is read or written yet.

    Raises:
        SetupError: settings that cannot be understood.
    """
    if not settings.blob_url:
        return FileBlobs(settings.data_dir.resolve() / "blobs")
    try:
        url = urlsplit(settings.blob_url)
    except ValueError as error:
        raise SetupError(_FORMS) from error
    if url.query or url.fragment:
        raise SetupError(_FORMS)
    if url.scheme == "file" and not url.netloc and len(url.path) > 1:
        return FileBlobs(Path(unquote(url.path)))
    if url.scheme == "s3" and url.netloc:
        return _s3(settings, url.netloc, url.path.strip("/"))
    raise SetupError(_FORMS)


def _s3(settings: Settings, bucket: str, folder: str) -> BlobStore:
    secret = settings.s3_secret_access_key.get_secret_value()
    if bool(settings.s3_access_key_id) != bool(secret):
        message = "PIDGR_S3_ACCESS_KEY_ID and PIDGR_S3_SECRET_ACCESS_KEY come together"
        raise SetupError(message)
    try:
        if folder:
            check_name(folder)
    except ValueError as error:
        message = "the folder of PIDGR_BLOB_URL has lower case letters, digits and - _ . in it"
        raise SetupError(message) from error
    from pidgr.storage.blobs.s3 import S3Blobs  # noqa: PLC0415 - 5 MB that files do not need

    return S3Blobs(
        bucket,
        folder,
        endpoint=settings.s3_endpoint,
        region=settings.s3_region,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret,
    )
