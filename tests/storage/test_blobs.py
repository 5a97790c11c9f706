"""Both places of blobs, the second on a real S3 server that checks signatures."""

import errno
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.s3_server import S3Server, s3_server

from pidgr.diagnosis import checks
from pidgr.diagnosis.finding import Level
from pidgr.errors import SetupError, UnavailableError
from pidgr.settings import Settings
from pidgr.storage.blobs import (
    Blob,
    BlobMissingError,
    BlobStore,
    FileBlobs,
    build_blobs,
    delete_under,
)
from pidgr.storage.blobs.s3 import S3Blobs

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


@pytest.fixture(params=["files", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "files":
        return build_blobs(Settings(data_dir=tmp_path))
    server: S3Server = request.getfixturevalue("server")
    settings: dict[str, Any] = server.settings
    settings["blob_url"] += f"/{uuid.uuid4()}"
    return build_blobs(Settings(data_dir=tmp_path, **settings))


def content(blobs: BlobStore, name: str) -> bytes:
    with blobs.get(name) as opened:
        found = opened.read()
        assert opened.size == len(found)
    return found


def names(blobs: BlobStore, folder: str = "") -> set[str]:
    return {blob.name for blob in blobs.list(folder)}


def test_what_was_put_is_got(blobs: BlobStore) -> None:
    blobs.put("acme/screenshots/a.png", b"\x89PNG\r\n")
    blobs.put("acme/empty", b"")
    assert content(blobs, "acme/screenshots/a.png") == b"\x89PNG\r\n"
    assert content(blobs, "acme/empty") == b""


def test_large_content_comes_and_goes_in_parts(blobs: BlobStore) -> None:
    parts = [bytes([number]) * MEBIBYTE for number in range(12)]
    blobs.put("acme/large", iter(parts))
    with blobs.get("acme/large") as opened:
        assert opened.size == 12 * MEBIBYTE
        received = list(opened)
    assert len(received) > 1
    assert b"".join(received) == b"".join(parts)


def test_a_blob_is_replaced_and_who_reads_the_old_one_reads_on(blobs: BlobStore) -> None:
    old = os.urandom(MEBIBYTE)
    blobs.put("acme/a", old)
    with blobs.get("acme/a") as opened:
        chunks = iter(opened)
        first = next(chunks)
        blobs.put("acme/a", b"new")
        assert first + b"".join(chunks) == old
    assert content(blobs, "acme/a") == b"new"


def test_a_missing_blob_is_missing(blobs: BlobStore) -> None:
    blobs.put("acme/a/b", b"")
    for name in ("acme/c", "acme/a/b/c", "acme/a", "other"):
        with pytest.raises(BlobMissingError):
            blobs.get(name)


def test_deleting_is_idempotent(blobs: BlobStore) -> None:
    for name in ("acme/x/a", "acme/x/b", "acme/c"):
        blobs.put(name, b"1")
    blobs.delete("acme/x/a", "acme/x/b", "acme/never")
    blobs.delete("acme/x/a")
    blobs.delete()
    assert names(blobs) == {"acme/c"}
    with pytest.raises(BlobMissingError):
        blobs.get("acme/x/a")


def test_a_folder_is_listed_by_whole_segments(blobs: BlobStore) -> None:
    for name in ("acme/a/1", "acme/a/b/2", "acme/ab/3", "acme/a.4", "other/5"):
        blobs.put(name, name.encode())
    assert names(blobs, "acme/a") == {"acme/a/1", "acme/a/b/2"}
    assert names(blobs, "acme") == {"acme/a/1", "acme/a/b/2", "acme/ab/3", "acme/a.4"}
    assert names(blobs, "nobody") == names(blobs, "acme/a/1") == set()
    assert len(names(blobs)) == 5
    (listed,) = blobs.list("other")
    assert isinstance(listed, Blob)
    assert (listed.size, listed.modified_at > 1_700_000_000_000_000) == (7, True)


def test_a_folder_is_deleted_whole(blobs: BlobStore) -> None:
    for name in ("acme/a/1", "acme/a/2", "acme/b/3", "acme-2/4"):
        blobs.put(name, b"")
    assert delete_under(blobs, "acme") == 3
    assert delete_under(blobs, "acme") == 0
    assert names(blobs) == {"acme-2/4"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../b",
        "a/./b",
        "a//b",
        "a/",
        ".incoming/a",
        "a/.b",
        "A",
        "a b",
        "a\\b",
        "a\0",
        "a\n",
        "ä",
        "a?b",
        "a%2e",
        "a" * 201,
        "a/" * 250 + "a",
    ],
)
def test_no_name_leads_elsewhere(blobs: BlobStore, name: str) -> None:
    for attempt in (
        lambda: blobs.put(name, b""),
        lambda: blobs.get(name),
        lambda: blobs.delete(name),
        lambda: list(blobs.list(name or "/")),
    ):
        with pytest.raises(ValueError, match="not the name of a blob"):
            attempt()


def test_content_that_breaks_off_leaves_what_was_there(blobs: BlobStore) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 6 * MEBIBYTE
        raise KeyError("gone")

    blobs.put("acme/old", b"old")
    for name in ("acme/old", "acme/new"):
        with pytest.raises(KeyError):
            blobs.put(name, broken())
    assert content(blobs, "acme/old") == b"old"
    assert names(blobs) == {"acme/old"}


def test_puts_and_deletes_of_one_folder_do_not_hinder_each_other(blobs: BlobStore) -> None:
    failures: list[BaseException] = []
    rounds = 300 if isinstance(blobs, FileBlobs) else 10

    def come_and_go(own: str) -> None:
        try:
            for _ in range(rounds):
                blobs.put(f"acme/folder/{own}", own.encode())
                blobs.delete(f"acme/folder/{own}")
        except BaseException as error:  # noqa: BLE001 - asserted below
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert names(blobs) == set()


# --- files ---


def test_a_file_has_its_name_only_when_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    synchronise, replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        steps.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        synchronise(descriptor)

    def rename(self: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", rename)
    FileBlobs(tmp_path / "blobs").put("acme/x/a", b"1")
    scratch, *rest = steps
    assert len(scratch) == len("fsync ") + 32
    assert rest == ["rename", "fsync x", "fsync acme", "fsync blobs"]
    assert (tmp_path / "blobs" / "acme" / "x" / "a").stat().st_mode & 0o077 == 0


def test_a_process_that_dies_leaves_no_part_and_its_scraps_are_swept(tmp_path: Path) -> None:
    dying = f"""
import os, signal, pathlib
from pidgr.storage.blobs import FileBlobs
def parts():
    yield b"x" * 100_000
    os.kill(os.getpid(), signal.SIGKILL)
FileBlobs(pathlib.Path({str(tmp_path)!r})).put("acme/a", parts())
"""
    died = subprocess.run([sys.executable, "-c", dying], timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    blobs = FileBlobs(tmp_path)
    assert names(blobs) == set()
    (scrap,) = (tmp_path / ".incoming").iterdir()
    os.utime(scrap, (1, 1))
    FileBlobs(tmp_path)
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_emptied_folders_go_and_the_root_stays(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    blobs.put("acme/x/y/a", b"")
    blobs.put("acme/b", b"")
    blobs.delete("acme/x/y/a")
    assert [path.name for path in (tmp_path / "acme").iterdir()] == ["b"]
    blobs.delete("acme/b")
    assert [path.name for path in tmp_path.iterdir()] == [".incoming"]


def test_a_full_disk_is_told_as_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = FileBlobs(tmp_path)
    blobs.put("acme/a", b"old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UnavailableError):
        blobs.put("acme/a", b"new")
    monkeypatch.undo()
    assert content(blobs, "acme/a") == b"old"
    assert list((tmp_path / ".incoming").iterdir()) == []


# --- S3 ---


def test_an_object_lies_where_the_operator_looks_for_it(server: S3Server) -> None:
    build_blobs(Settings(**server.settings)).put("acme/seen", b"seen")
    found = server.client().get_object(Bucket=server.bucket, Key="pidgr/acme/seen")
    assert found["Body"].read() == b"seen"


def test_a_wrong_secret_is_refused_and_not_told(
    server: S3Server, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = S3Blobs(
        server.bucket,
        endpoint=server.endpoint,
        access_key_id=server.access_key_id,
        secret_access_key="wrong-secret",
    )
    for attempt in (
        lambda: stranger.put("acme/a", b""),
        lambda: stranger.get("acme/a"),
        lambda: stranger.delete("acme/a"),
        lambda: list(stranger.list()),
    ):
        with pytest.raises(UnavailableError, match="try again shortly"):
            attempt()
    told = capsys.readouterr()
    assert "wrong-secret" not in told.out + told.err
    with pytest.raises(BlobMissingError):
        build_blobs(Settings(**server.settings)).get("acme/a")


# --- settings ---


@pytest.mark.parametrize(
    "settings",
    [
        {"blob_url": "/srv/blobs"},
        {"blob_url": "file://host/blobs"},
        {"blob_url": "file:///"},
        {"blob_url": "s3://"},
        {"blob_url": "s3://bucket?x=1"},
        {"blob_url": "s3://bucket/../x"},
        {"blob_url": "https://bucket.example.com"},
        {"blob_url": "s3://bucket", "s3_access_key_id": "key"},
        {"blob_url": "s3://bucket", "s3_secret_access_key": "secret"},
    ],
)
def test_settings_that_cannot_be_understood_are_told(settings: dict[str, Any]) -> None:
    with pytest.raises(SetupError, match="PIDGR_") as raised:
        build_blobs(Settings(**settings))
    assert "secret" not in str(raised.value)


def test_a_directory_can_be_named(tmp_path: Path) -> None:
    build_blobs(Settings(blob_url=f"file://{tmp_path}/my%20files")).put("acme/a", b"here")
    assert (tmp_path / "my files" / "acme" / "a").read_bytes() == b"here"


def test_the_doctor_tries_a_bucket(server: S3Server, tmp_path: Path) -> None:
    (found,) = checks.blobs(Settings(data_dir=tmp_path, **server.settings))
    assert found.level is Level.OK
    wrong: dict[str, Any] = server.settings | {"blob_url": "s3://no-such-bucket"}
    (found,) = checks.blobs(Settings(data_dir=tmp_path, **wrong))
    assert found.level is Level.PROBLEM
    assert "s3://no-such-bucket does not keep files" in found.message
