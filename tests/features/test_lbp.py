from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.feature import local_binary_pattern

from benchmarks.speed.library_features import skimage_lbp
from features.lbp import Lbp, cell_histograms, uniform_codes
from tests.helpers import grey_images


def test_constant_image_has_all_neighbours_equal() -> None:
    """Equal counts as 'at least as bright': code 8r everywhere but where the border (0) shows."""
    lbp = Lbp(radii=(1, 2), grid=3)
    row = lbp.fit_transform(np.full((1, 66, 66), 9, np.uint8))[0]
    value = dict(zip(lbp.get_feature_names_out(), row, strict=True))
    assert value["lbp/r1/cell04/code08"] == 1
    assert value["lbp/r2/cell04/code16"] == 1
    assert value["lbp/r1/cell04/code09"] == 0


def test_bright_points_have_code_zero() -> None:
    image = np.zeros((1, 60, 60), np.uint8)
    image[0, 25:35:3, 25:35:3] = 255  # 4 × 4 single points in the middle cell of 20 × 20 pixels
    lbp = Lbp(radii=(1,), grid=3)
    row = lbp.fit_transform(image)[0]
    value = dict(zip(lbp.get_feature_names_out(), row, strict=True))
    assert value["lbp/r1/cell04/code00"] == np.float32(16 / 400)


def test_histograms_by_cell() -> None:
    codes = np.array([[0, 0, 2, 1], [0, 1, 2, 1]])
    expected = [[[0.75, 0.25, 0.0], [0.0, 0.5, 0.5]]]
    top = np.vstack([codes, codes])
    np.testing.assert_array_equal(cell_histograms(top, 3, 2), expected[0] + expected[0])


@settings(deadline=None, max_examples=100)
@given(grey_images(1, 40), st.integers(1, 8))
def test_codes_equal_scikit_image(image: NDArray[np.uint8], radius: int) -> None:
    """Every pixel, ties included."""
    expected = local_binary_pattern(image, 8 * radius, radius, method="uniform")
    np.testing.assert_array_equal(uniform_codes(image, radius), expected)


@settings(deadline=None, max_examples=20)
@given(grey_images(16, 60), st.integers(1, 7))
def test_columns_equal_scikit_image(image: NDArray[np.uint8], grid: int) -> None:
    expected = skimage_lbp(image, (1, 3), grid).astype(np.float32)
    row = Lbp(radii=(1, 3), grid=grid).transform(image[None])[0]
    np.testing.assert_array_equal(row, expected)


@pytest.mark.parametrize("radii", [(0,), (1, 9), (1.5,)])
def test_radii_out_of_reach_are_refused(radii: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="whole pixels from 1 to 8"):
        Lbp(radii=radii).fit_transform(np.zeros((1, 64, 64), np.uint8))


def test_codes_beyond_their_number_are_refused() -> None:
    with pytest.raises(ValueError, match="Got codes from 0 to 3, but expected 0 to 2"):
        cell_histograms(np.array([[0, 3]]), n_codes=3, grid=1)
