from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from features.geometry import grid_cells
from features.intensity import PERCENTILES, STATISTICS, Intensity, grey_statistics
from tests.helpers import grey_images


def test_statistics_by_hand() -> None:
    value = dict(zip(STATISTICS, grey_statistics(np.array([0, 0, 0, 4], np.uint8)), strict=True))
    assert value["mean"] == 1
    assert value["std"] == pytest.approx(np.sqrt(3))
    assert value["skewness"] == pytest.approx(6 / 3**1.5)  # (3·(−1)³ + 3³)/4 over σ³
    assert value["kurtosis"] == pytest.approx(21 / 9 - 3)
    assert value["p50"] == 0
    assert value["entropy"] == pytest.approx(2 - 0.75 * np.log2(3))


def test_cells_are_counted_row_by_row() -> None:
    image = np.zeros((1, 64, 64), np.uint8)
    image[0, 16:32, 48:64] = 200  # row 1, column 3
    intensity = Intensity()
    row = intensity.fit_transform(image)[0]
    value = dict(zip(intensity.get_feature_names_out(), row, strict=True))
    assert value["intensity/mean/cell07"] == 200
    assert value["intensity/mean/cell06"] == 0
    assert value["intensity/mean"] == 12.5


def oracle(grey: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The same statistics from the pixels, by NumPy and SciPy."""
    pixels = grey.ravel().astype(np.float64)
    shape = [0.0, 0.0] if np.ptp(pixels) == 0 else [stats.skew(pixels), stats.kurtosis(pixels)]
    entropy = stats.entropy(np.unique(pixels, return_counts=True)[1], base=2)
    percentiles = np.percentile(grey, PERCENTILES)
    return np.array([pixels.mean(), pixels.std(), *shape, *percentiles, entropy])


PERCENTILE_COLUMNS = slice(4, 4 + len(PERCENTILES))


@settings(deadline=None, max_examples=200)
@given(st.one_of(grey_images(1, 60), arrays(np.uint8, st.integers(1, 30))))
def test_statistics_equal_those_of_the_pixels(grey: NDArray[np.uint8]) -> None:
    found, expected = grey_statistics(grey), oracle(grey)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found[PERCENTILE_COLUMNS], expected[PERCENTILE_COLUMNS])


@settings(deadline=None, max_examples=40)
@given(grey_images(16, 70), st.integers(1, 7))
def test_columns_are_the_statistics_of_image_and_cells(image: NDArray[np.uint8], grid: int) -> None:
    row = Intensity(grid=grid).fit_transform(image[None])[0]
    parts = [image, *[image[cell] for cell in grid_cells(image.shape, grid)]]
    expected = np.concatenate([grey_statistics(part) for part in parts]).astype(np.float32)
    np.testing.assert_array_equal(row, expected)
