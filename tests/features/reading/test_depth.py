"""Pictures of more than 8 bits keep their contrast, whatever part of the range they fill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.datasets.phantoms import generate
from features import FEATURES
from features.reading.depth import grey_levels
from features.reading.images import ImageError, read_image
from features.reading.preprocess import resize, stretch_contrast
from tests.features.reading.made_files import HEIGHT, WIDTH, png, tiff

Values = NDArray[np.int64]
STORED: dict[str, Callable[[Values], Values]] = {
    "8 bits in 16": lambda grey: grey,
    "16 bits": lambda grey: grey * 257,
    "high byte": lambda grey: grey * 256,
    "12 bits": lambda grey: np.rint(grey / 255 * 4095).astype(int),
    "10 bits": lambda grey: np.rint(grey / 255 * 1023).astype(int),
    "an offset": lambda grey: grey * 16 + 20_000,
}


def reduced(values: Values) -> NDArray[np.uint8]:
    levels = np.arange(2**16)
    return grey_levels(levels, np.bincount(values.ravel(), minlength=2**16))[values]


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    return np.asarray(generate(16, 160).images[:4])


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_one_picture_has_the_same_features_in_every_depth(
    stored: str, suffix: str, pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    prepared: list[NDArray[np.uint8]] = []
    for number, grey in enumerate(pictures):
        deep = STORED[stored](grey.astype(np.int64)).astype(np.uint16)
        Image.fromarray(deep).save(tmp_path / f"{number}.{suffix}")
        prepared.append(resize(read_image(tmp_path / f"{number}.{suffix}").pixels, 128))
    found = stretch_contrast(np.stack(prepared))
    expected = stretch_contrast(np.stack([resize(grey, 128) for grey in pictures]))
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= 4
    assert difference.mean() < 0.6
    for family in ("hog", "lbp"):
        descriptor = FEATURES[family]().fit(expected)
        for ours, theirs in zip(
            descriptor.transform(found), descriptor.transform(expected), strict=True
        ):
            assert np.corrcoef(ours, theirs)[0, 1] > (0.95 if stored == "an offset" else 0.99)


@pytest.mark.parametrize("stored", ["8 bits in 16", "16 bits", "12 bits", "10 bits"])
def test_a_picture_that_fills_its_range_becomes_itself(stored: str) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (90, 80))
    np.testing.assert_array_equal(reduced(STORED[stored](grey)), grey)


def test_a_narrow_picture_gets_all_grey_levels() -> None:
    values = np.random.default_rng(0).integers(30_000, 30_400, (90, 80))
    assert len(np.unique(reduced(values))) == 256


@pytest.mark.parametrize("outlier", [0, 65535])
def test_a_few_outliers_do_not_take_the_contrast(outlier: int) -> None:
    values = np.random.default_rng(0).integers(1000, 4096, (100, 100))
    alone = reduced(values)
    values[:4, :10] = outlier
    found = reduced(values)
    assert (found[:4, :10] == (255 if outlier else 0)).all()
    assert np.ptp(found[4:]) > 190
    assert np.corrcoef(found[4:].ravel(), alone[4:].ravel())[0, 1] > 0.999


def test_two_values_and_one_value() -> None:
    values = np.full((50, 50), 7)
    assert (reduced(values) == 0).all()
    values[0, 0] = 9  # too few pixels to move a percentile
    assert sorted(set(reduced(values).ravel().tolist())) == [0, 255]


def test_negative_values_are_stretched() -> None:
    values = np.arange(-1000, 1001)
    levels = grey_levels(values, np.ones(len(values), int))
    assert levels[[10, 1000, 1990]].tolist() == [0, 128, 255]
    assert (np.diff(levels.astype(int)) >= 0).all()


def test_transparent_pixels_do_not_count(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1000, 3000, (HEIGHT, WIDTH))
    values[:, :9] = 65535
    (tmp_path / "a.png").write_bytes(png(values.astype(">u2"), 16, 0, tRNS=b"\xff\xff"))
    pixels = read_image(tmp_path / "a.png").pixels
    assert (pixels[:, :9] == 0).all()
    assert np.ptp(pixels[:, 9:]) == 255


def test_colour_of_16_bits_that_lost_its_contrast_is_refused(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (HEIGHT, WIDTH, 3))
    files = {
        "a.png": png(values.astype(">u2"), 16, 2),
        "b.png": png((values[..., :2] * [1, 0] + [0, 65535]).astype(">u2"), 16, 4),
        "a.tif": tiff(values.astype("<u2").tobytes(), (16,) * 3, 2),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ImageError, match=r"fills only 1\d of 256 .* save it as 16-bit grey"):
            read_image(tmp_path / name)
