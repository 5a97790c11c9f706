"""The picture for reports, looked at pixel by pixel."""

import io

import pytest
from PIL import Image

from pidgr.contract.v1.heatmap_pb import HeatmapDataPoint
from pidgr.heatmaps.rendering import LEGEND_HEIGHT, render

Pixel = tuple[int, int, int]


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png), formats=["PNG"])
    image.load()
    return image


def pixel(image: Image.Image, x: float, y: float) -> Pixel:
    found = image.getpixel((int(x * image.width), int(y * (image.height - LEGEND_HEIGHT))))
    assert isinstance(found, tuple)
    red, green, blue = (int(channel) for channel in found)
    return red, green, blue


def green_screen() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (300, 600), (0, 128, 0)).save(file, "PNG")
    return file.getvalue()


POINTS = [
    HeatmapDataPoint(x_pct=0.15, y_pct=0.25, value=100),
    HeatmapDataPoint(x_pct=0.95, y_pct=0.95, value=1),
]


def test_the_hottest_cell_is_red_the_coolest_blue_and_the_rest_as_it_was() -> None:
    image = opened(render(POINTS, 0.1, green_screen(), "touches"))
    assert (image.width, image.height) == (300, 600 + LEGEND_HEIGHT)
    red, green, blue = pixel(image, 0.15, 0.25)
    assert red > green
    assert red > blue
    red, green, blue = pixel(image, 0.95, 0.95)
    assert blue > red
    for x, y in ((0.05, 0.25), (0.25, 0.25), (0.15, 0.15), (0.15, 0.35), (0.5, 0.5)):
        assert pixel(image, x, y) == (0, 128, 0)


def test_the_legend_goes_from_cool_to_hot_and_says_what_it_shows() -> None:
    image = opened(render(POINTS, 0.1, green_screen(), "touches"))
    other = opened(render(POINTS, 0.1, green_screen(), "median of cohorts"))
    row = 600 + 12
    left, right = image.getpixel((10, row)), image.getpixel((image.width - 12, row))
    assert isinstance(left, tuple)
    assert isinstance(right, tuple)
    assert left[2] > left[0]
    assert right[0] > right[2]
    assert image.tobytes() != other.tobytes()
    box = (0, 0, image.width, 600)
    assert image.crop(box).tobytes() == other.crop(box).tobytes()


@pytest.mark.parametrize("resolution", [0.005, 0.0073, 0.02, 0.1])
def test_every_cell_lands_where_it_was_touched(resolution: float) -> None:
    corner = [HeatmapDataPoint(x_pct=1 - resolution / 2, y_pct=resolution / 2, value=3)]
    image = opened(render(corner, resolution, None, "touches"))
    assert pixel(image, 0.999, 0.001) != (255, 255, 255)
    assert pixel(image, 0.5, 0.5) == (255, 255, 255)
    assert pixel(image, 0.001, 0.999) == (255, 255, 255)


def test_cells_that_do_not_fill_the_screen_evenly_are_not_moved() -> None:
    """The last of fifteen cells of 0.07 is 0.02 wide."""
    points = [
        HeatmapDataPoint(x_pct=0.945, y_pct=0.5, value=100),
        HeatmapDataPoint(x_pct=0.99, y_pct=0.5, value=1),
        HeatmapDataPoint(x_pct=0.455, y_pct=0.5, value=100),
    ]
    image = opened(render(points, 0.07, None, "touches"))

    def is_hot(x: float) -> bool:
        red, _, blue = pixel(image, x, 0.5)
        return red > blue

    white = (255, 255, 255)
    assert [is_hot(x) for x in (0.92, 0.97, 0.985, 0.995)] == [True, True, False, False]
    assert pixel(image, 0.995, 0.5) != white
    assert pixel(image, 0.9, 0.5) == white
    assert [pixel(image, x, 0.5) == white for x in (0.41, 0.43, 0.48, 0.5)] == [
        True,
        False,
        False,
        True,
    ]


def test_where_nobody_touched_the_screen_is_shown_as_it_is() -> None:
    image = opened(render([], 0.02, green_screen(), "touches"))
    assert image.crop((0, 0, 300, 600)).getcolors() == [(300 * 600, (0, 128, 0))]
