"""A JPEG that will be shrunk is decoded at reduced scale."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.datasets.phantoms import generate
from features.reading.images import ImageError, read_image
from features.reading.preprocess import resize


@pytest.fixture(scope="module")
def radiograph() -> NDArray[np.uint8]:
    """A phantom of 1400 × 1000 pixels."""
    return np.array(Image.fromarray(generate(16, 700).images[3]).resize((1400, 1000)))


def save(pixels: NDArray[np.uint8], path: Path, mode: str = "L", **options: object) -> Path:
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (None, (1000, 1400)), (600, (1000, 1400)), (501, (1000, 1400)), (500, (500, 700)),
        (251, (500, 700)), (224, (250, 350)), (125, (125, 175)), (28, (125, 175)),
    ],
)  # fmt: skip
def test_scale_is_the_smallest_that_leaves_enough(
    radiograph: NDArray[np.uint8], tmp_path: Path, size: int | None, shape: tuple[int, int]
) -> None:
    image = read_image(save(radiograph, tmp_path / "a.jpeg"), size=size)
    assert image.pixels.shape == shape
    assert (image.width, image.height) == (1400, 1000)


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_gives_nearly_what_decoding_everything_gives(
    radiograph: NDArray[np.uint8], tmp_path: Path, mode: str
) -> None:
    path = save(radiograph, tmp_path / "a.jpeg", mode, quality=95)
    whole, reduced = (resize(read_image(path, size=s).pixels, 224) for s in (None, 224))
    difference = np.abs(whole.astype(int) - reduced)
    assert difference.mean() < 0.6
    assert difference.max() <= 8


def test_sides_at_full_scale_are_told_as_displayed(
    radiograph: NDArray[np.uint8], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    image = read_image(save(radiograph, tmp_path / "a.jpeg", exif=exif), size=224)
    assert (image.width, image.height) == (1000, 1400)
    assert image.pixels.shape == (350, 250)


@pytest.mark.parametrize("form", ["png", "bmp", "tiff"])
def test_other_formats_are_decoded_in_full(
    radiograph: NDArray[np.uint8], tmp_path: Path, form: str
) -> None:
    path = save(radiograph, tmp_path / f"a.{form}")
    np.testing.assert_array_equal(read_image(path, size=64).pixels, radiograph)


def test_a_truncated_jpeg_is_refused_at_reduced_scale(
    radiograph: NDArray[np.uint8], tmp_path: Path
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(radiograph).save(buffer, "JPEG")
    path = tmp_path / "a.jpeg"
    path.write_bytes(buffer.getvalue()[:-2000])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path, size=224)


def test_luma_of_a_colour_jpeg_is_taken_as_stored(tmp_path: Path) -> None:
    """By Pillow's own planes: Y of YCbCr."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (64, 48, 3), dtype=np.uint8)
    path = save(pixels, tmp_path / "a.jpeg", "RGB", quality=90)
    image = Image.open(path)
    image.draft("YCbCr", None)
    np.testing.assert_array_equal(read_image(path).pixels, np.asarray(image)[:, :, 0])
