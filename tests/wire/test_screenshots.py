"""Pictures of screens through the wire: put, listed, fetched, replaced."""

import io
import secrets
import struct
import zlib
from typing import Any

import grpc
import httpx
import pytest
from PIL import Image, PngImagePlugin
from support.grpc_client import Client
from support.running import Installation
from support.story import World, row_counts

from pidgr.heatmaps import screenshots

UPLOAD, LIST, QUERY = (
    f"HeatmapService/{rpc}" for rpc in ("UploadScreenshot", "ListScreenshots", "QueryHeatmapData")
)


def picture(colour: str = "red", size: tuple[int, int] = (8, 16), **save: Any) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG", **save)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def bomb() -> bytes:
    """A small file that says it holds more pixels than there may be."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def png(depth: int, kind: int, pixel: bytes, *before: bytes, interlaced: bool = False) -> bytes:
    """A picture of one pixel in the form a library of today would hardly write."""
    header = struct.pack(">IIBBBBB", 1, 1, depth, kind, 0, 0, interlaced)
    content = chunk(b"IDAT", zlib.compress(b"\0" + pixel))
    return b"".join(
        (b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), *before, content, chunk(b"IEND", b""))
    )


class Screens:
    """What a person's app and an administrator do with pictures."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.client: Client = world.client
        self.person = world.tokens[world.ada]

    def upload(self, screen: str, content: bytes, version: str = "1.0") -> str:
        answer = self.client(
            UPLOAD, self.person, screen_name=screen, app_version=version, image_data=content
        )
        return str(answer.url)

    def listed(self, credential: str | None = None) -> dict[tuple[str, str], str]:
        found = self.client(LIST, credential or self.world.key).screenshots
        return {(one.screen_name, one.app_version): one.url for one in found}

    def get(self, url: str) -> httpx.Response:
        """Fetch what a link is for from this server, whatever its public address."""
        base = httpx.URL(self.world.installation.url)
        return httpx.get(base.join(httpx.URL(url).raw_path.decode()))

    def colour(self, url: str) -> object:
        answer = self.get(url)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["x-content-type-options"] == "nosniff"
        with Image.open(io.BytesIO(answer.content), formats=["PNG"]) as opened:
            return opened.convert("RGB").getpixel((0, 0))


@pytest.fixture(scope="module")
def screens(world: World) -> Screens:
    return Screens(world)


def test_a_picture_is_listed_and_fetched_and_a_heatmap_names_the_latest(screens: Screens) -> None:
    old = screens.upload("Home", picture("red"), "1.0")
    assert screens.colour(old) == (255, 0, 0)
    screens.upload("Home", picture("lime"), "2.0")
    listed = screens.listed()
    assert [version for screen, version in listed if screen == "Home"] == ["1.0", "2.0"]
    assert screens.colour(listed["Home", "2.0"]) == (0, 255, 0)
    asked = screens.client(QUERY, screens.world.key, screen_name="Home")
    assert screens.colour(asked.screenshot_url) == (0, 255, 0)
    assert screens.client(QUERY, screens.world.key, screen_name="Other").screenshot_url == ""


def test_another_of_the_same_screen_and_version_replaces_it(
    screens: Screens, installation: Installation
) -> None:
    first = screens.upload("Replaced", picture("red"))
    second = screens.upload("Replaced", picture("blue"))
    assert screens.colour(second) == (0, 0, 255)
    assert screens.colour(screens.listed()["Replaced", "1.0"]) == (0, 0, 255)
    name = httpx.URL(first).path.removeprefix("/files/")
    for _ in range(2):
        installation.system.screenshots.delete_unused(name)
    assert screens.get(first).status_code == 404
    # The look an hour after an upload leaves alone what is used.
    installation.system.screenshots.delete_unused(httpx.URL(second).path.removeprefix("/files/"))
    assert screens.colour(second) == (0, 0, 255)


def test_nothing_but_the_pixels_is_kept(screens: Screens) -> None:
    secret = secrets.token_hex(16)
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", secret)
    exif = Image.Exif()
    exif[0x010E] = secret
    content = picture("red", pnginfo=info, exif=exif) + secret.encode()
    assert content.count(secret.encode()) == 3
    stored = screens.get(screens.upload("Clean", content)).content
    assert secret.encode() not in stored
    assert stored.endswith(b"IEND\xaeB`\x82")


ANIMATED = io.BytesIO()
Image.new("RGB", (1, 1), "red").save(
    ANIMATED, "PNG", save_all=True, append_images=[Image.new("RGB", (1, 1), "blue")]
)


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (png(1, 0, b"\x80"), (255, 255, 255)),
        (png(16, 0, b"\x80\x00"), (128, 128, 128)),
        (png(16, 2, b"\x80\x00\xff\xff\x00\x01"), (128, 255, 0)),
        (png(8, 3, b"\x01", chunk(b"PLTE", bytes((0, 0, 0, 1, 2, 3)))), (1, 2, 3)),
        (png(8, 2, b"\x01\x02\x03", interlaced=True), (1, 2, 3)),
        (ANIMATED.getvalue(), (255, 0, 0)),
    ],
)
def test_every_form_of_png_keeps_its_colour_and_one_picture(
    screens: Screens, content: bytes, colour: tuple[int, int, int]
) -> None:
    url = screens.upload("Form", content)
    assert screens.colour(url) == colour
    assert b"acTL" not in screens.get(url).content


def text_bomb() -> bytes:
    return png(8, 2, b"abc", chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000), 9)))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"screen_name": ""}, "screen_name"),
        ({"screen_name": "x" * 201}, "screen_name"),
        ({"app_version": "x" * 201}, "app_version"),
        ({"app_version": "a\0b"}, "app_version"),
        ({"image_data": b""}, "image_data"),
        ({"image_data": b"nonsense"}, "image_data"),
        ({"image_data": picture()[:-30]}, "image_data"),
        ({"image_data": picture()[:40]}, "image_data"),
        ({"image_data": bomb()}, "image_data"),
        ({"image_data": text_bomb()}, "image_data"),
        ({"image_data": picture() + bytes(512 * 1024)}, "image_data"),
        ({"image_data": b"GIF89a" + bytes(100)}, "image_data"),
    ],
)
def test_bad_fields_are_named_and_nothing_is_kept(
    screens: Screens, installation: Installation, fields: dict[str, Any], path: str
) -> None:
    good = {"screen_name": "Bad", "app_version": "1", "image_data": picture()}
    before = row_counts(installation), len(list(installation.system.blobs.list()))
    error = screens.client.error(UPLOAD, screens.person, **{**good, **fields})
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details().startswith(f"{path}:")
    assert (row_counts(installation), len(list(installation.system.blobs.list()))) == before


def test_who_may(screens: Screens) -> None:
    good = {"screen_name": "Mine", "image_data": picture()}
    error = screens.client.error(UPLOAD, screens.world.key, **good)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    error = screens.client.error(LIST, screens.person)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


def test_another_organization_has_its_own(screens: Screens, installation: Installation) -> None:
    screens.upload("Shared name", picture("red"))
    other = installation.found()
    assert screens.listed(other.api_key) == {}
    screens.client(
        UPLOAD,
        installation.token(other.admin_id),
        screen_name="Shared name",
        app_version="1.0",
        image_data=picture("blue"),
    )
    assert screens.colour(screens.listed()["Shared name", "1.0"]) == (255, 0, 0)
    (url,) = screens.listed(other.api_key).values()
    assert screens.colour(url) == (0, 0, 255)


def test_a_link_is_for_one_picture_and_ends(screens: Screens, installation: Installation) -> None:
    mine = httpx.URL(screens.upload("Linked", picture("red")))
    other = installation.found()
    theirs = httpx.URL(
        screens.client(
            UPLOAD,
            installation.token(other.admin_id),
            screen_name="Linked",
            image_data=picture("blue"),
        ).url
    )
    assert screens.get(str(mine)).status_code == 200
    name = mine.path.removeprefix("/files/")
    ended = httpx.URL(installation.system.blob_links.write(name, -1_000_000))
    for url in (
        theirs.copy_with(query=mine.query),
        mine.copy_with(query=theirs.query),
        mine.copy_with(query=ended.query),
        mine.copy_with(params={"ends": mine.params["ends"]}),
        mine.copy_with(params={**mine.params, "ends": str(int(mine.params["ends"]) + 60)}),
    ):
        assert screens.get(str(url)).status_code == 404


def test_there_are_only_so_many(
    screens: Screens, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(screenshots, "MOST_PICTURES", 1)
    token = installation.token(installation.found().admin_id)
    fields = {"app_version": "1", "image_data": picture()}
    screens.client(UPLOAD, token, screen_name="One", **fields)
    screens.client(UPLOAD, token, screen_name="One", **fields)
    error = screens.client.error(UPLOAD, token, screen_name="Two", **fields)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
