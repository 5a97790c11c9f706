"""Paints a heatmap over the picture of its screen, for reports."""

import io
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pidgr.contract.v1.heatmap_pb import HeatmapDataPoint
from pidgr.heatmaps import grids
from pidgr.heatmaps.touches import UNITS, units

LEGEND_HEIGHT: Final = 48
"""Rows of pixels below the screen, with the scale and what it says."""

# What is painted over where there is no picture: a phone's screen, in pixels.
_BLANK: Final = (540, 1_080)
_NARROWEST: Final = 270
# From touched least to touched most; each red, green, blue.
_SCALE: Final = np.array(
    [(49, 54, 149), (69, 117, 180), (116, 196, 118), (254, 224, 80), (215, 25, 28)], dtype=float
)
_MOST_OPAQUE: Final = 210
_LEAST_OPAQUE: Final = 70

Pixels = npt.NDArray[np.uint8]


def render(
    points: list[HeatmapDataPoint], resolution: float, picture: bytes | None, caption: str
) -> bytes:
    """Return a PNG: the screen with the heat over it, and a legend below.

    Args:
        points: the cells above 0, as QueryHeatmapData answers them.
        resolution: side of a cell as a share of the screen, as it was asked for.
        picture: PNG of the screen; without one the heat is over white.
        caption: what the legend says beside the largest value; ASCII.
    """
    screen = _screen(picture)
    cell = units(resolution)
    values = np.zeros((grids.side(cell), grids.side(cell)))
    for point in points:
        values[units(point.y_pct) // cell, units(point.x_pct) // cell] = point.value
    most = float(values.max())
    if most > 0:
        screen.alpha_composite(_heat(values / most, cell, screen.size))
    report = Image.new("RGB", (screen.width, screen.height + LEGEND_HEIGHT), "white")
    report.paste(screen.convert("RGB"))
    _draw_legend(report, screen.height, f"0 to {most:g}  {caption}")
    file = io.BytesIO()
    report.save(file, "PNG", optimize=True)
    return file.getvalue()


def _heat(shares: npt.NDArray[np.float64], cell: int, size: tuple[int, int]) -> Image.Image:
    """Return the heat of a screen; the last cells reach over its edge, as far as the grid does."""
    reach = len(shares) * cell / UNITS
    whole = (round(size[0] * reach), round(size[1] * reach))
    painted = Image.fromarray(_colours(shares)).resize(whole, Image.Resampling.BOX)
    return painted.crop((0, 0, *size))


def _screen(picture: bytes | None) -> Image.Image:
    if picture is None:
        return Image.new("RGBA", _BLANK, "white")
    with Image.open(io.BytesIO(picture), formats=["PNG"]) as opened:
        screen = Image.new("RGBA", opened.size, "white")
        screen.alpha_composite(opened.convert("RGBA"))
    if screen.width >= _NARROWEST:
        return screen
    height = round(screen.height * _NARROWEST / screen.width)
    return screen.resize((_NARROWEST, height), Image.Resampling.LANCZOS)


def _colours(shares: npt.NDArray[np.float64]) -> Pixels:
    """Return red, green, blue and opacity for shares of the most; nothing where there is none."""
    # Touches crowd: on a straight scale one button would leave all else the same blue.
    eased = np.sqrt(shares)
    steps = np.linspace(0, 1, len(_SCALE))
    channels = [np.interp(eased, steps, _SCALE[:, channel]) for channel in range(3)]
    opacity = np.where(shares > 0, _LEAST_OPAQUE + eased * (_MOST_OPAQUE - _LEAST_OPAQUE), 0)
    return np.dstack([*channels, opacity]).astype(np.uint8)


def _draw_legend(report: Image.Image, top: int, text: str) -> None:
    bar = _colours(np.linspace(0, 1, report.width - 16)[np.newaxis, :] ** 2)[:, :, :3]
    scale = Image.fromarray(bar).resize((report.width - 16, 12))
    report.paste(scale, (8, top + 8))
    ImageDraw.Draw(report).text((8, top + 26), text, fill="black")
