"""Pictures of screens, as they may be stored: decoded, and written anew.

What is written holds the pixels and nothing else: no place where a photograph was taken, no second
file behind the picture.
"""

import io
import struct
from typing import TYPE_CHECKING, Final

from pidgr.errors import invalid_field

if TYPE_CHECKING:
    from PIL import Image

LARGEST: Final = 512 * 1024
"""In bytes (SEMANTICS 2.6)."""
MOST_PIXELS: Final = 20_000_000
"""More than any phone or desktop shows; decoded they take 80 MB for a moment."""

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_HEADER: Final = struct.Struct(">8sI4sII")


def clean_png(path: str, content: bytes) -> bytes:
    """Return a picture's pixels as a PNG.

    Args:
        path: of the request's field, for the error.
        content: as it came in.

    Raises:
        InvalidArgumentError: empty, too large, not a PNG, or one that cannot be decoded whole.
    """
    # Not before it is needed: it takes 20 MB, and not every installation has heatmaps.
    from PIL import Image  # noqa: PLC0415

    if not 0 < len(content) <= LARGEST:
        raise invalid_field(path, f"must have 1 to {LARGEST:,} bytes, has {len(content):,}")
    if _pixels(content) > MOST_PIXELS:
        raise invalid_field(path, f"must have at most {MOST_PIXELS:,} pixels")
    clean = io.BytesIO()
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            picture.load()
            mode = "RGBA" if picture.has_transparency_data else "RGB"
            pixels = _of_bytes(picture).convert(mode)
        pixels.save(clean, "PNG")
    # Pillow tells of damage in many ways: OSError, SyntaxError, ValueError, EOFError, struct.error.
    except Exception as error:
        raise invalid_field(path, "is not a PNG that can be decoded") from error
    return clean.getvalue()


def _of_bytes(picture: "Image.Image") -> "Image.Image":
    """Return a picture whose greys have one byte: Pillow would cut off those above 255 as white."""
    if not picture.mode.startswith("I"):
        return picture
    return picture.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")


def _pixels(content: bytes) -> int:
    """Return how many pixels a PNG says it has, before anything is decoded."""
    if len(content) < _HEADER.size:
        return 0
    signature, _, kind, width, height = _HEADER.unpack_from(content)
    return int(width * height) if (signature, kind) == (_SIGNATURE, b"IHDR") else 0
