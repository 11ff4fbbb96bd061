from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.feature import graycomatrix

from benchmarks.speed.library_features import skimage_glcm
from features.geometry import grid_cells
from features.glcm import ANGLES, PROPERTIES, Glcm, co_occurrences, texture_properties
from tests.helpers import grey_images


def test_stripes_by_hand() -> None:
    """Columns alternate between levels 0 and 2 of 4: nothing changes along them."""
    stripes = np.tile(np.array([0, 128], np.uint8), (8, 4))
    value = dict(zip(PROPERTIES, texture_properties(stripes, (1,), levels=4)[0, :, 0], strict=True))
    across, along = 0, 2
    assert value["contrast"][across] == 4
    assert value["contrast"][along] == 0
    assert value["dissimilarity"][across] == 2
    assert value["homogeneity"][across] == pytest.approx(1 / 5)
    assert value["correlation"][across] == pytest.approx(-1)
    assert value["correlation"][along] == pytest.approx(1)
    assert value["ASM"][across] == pytest.approx(0.5)
    assert value["energy"][across] == pytest.approx(np.sqrt(0.5))


def test_entropy_is_in_nats() -> None:
    stripes = np.tile(np.array([0, 128], np.uint8), (8, 4))
    entropy = texture_properties(stripes, (1,), levels=4)[0, PROPERTIES.index("entropy"), 0]
    assert entropy[0] == pytest.approx(np.log(2))  # two pairs, equally frequent


def test_mean_range_and_cells() -> None:
    stripes = np.tile(np.array([0, 128], np.uint8), (64, 32))[None]
    glcm = Glcm(distances=(1,), cell_distances=(1,), levels=4, grid=2)
    row = glcm.fit_transform(stripes)[0]
    value = dict(zip(glcm.get_feature_names_out(), row, strict=True))
    assert value["glcm/d1/contrast"] == 3  # 4, 4, 0, 4 over the four angles
    assert value["glcm/d1/contrast/range"] == 4
    assert value["glcm/d1/contrast/cell03"] == 3


def test_cells_narrower_than_the_distance_are_refused() -> None:
    with pytest.raises(ValueError, match="cells wider than 16 pixels"):
        Glcm(cell_distances=(16,)).fit_transform(np.zeros((1, 64, 64), np.uint8))


@settings(deadline=None, max_examples=80)
@given(grey_images(6, 40), st.integers(2, 256))
def test_counts_equal_scikit_image(image: NDArray[np.uint8], levels: int) -> None:
    distances = (1, 2, 5)
    grey = (image.astype(np.uint16) * levels // 256).astype(np.uint8)
    expected = graycomatrix(grey, distances, ANGLES, levels=levels, symmetric=True)
    counts = co_occurrences(image, distances, levels)
    np.testing.assert_array_equal(counts.transpose(2, 3, 0, 1), expected)


@settings(deadline=None, max_examples=60)
@given(grey_images(8, 50), st.integers(2, 64), st.integers(1, 2))
def test_properties_equal_scikit_image(image: NDArray[np.uint8], levels: int, grid: int) -> None:
    """To the last bit: each sum runs in the same order."""
    found = texture_properties(image, (1, 3), levels, grid)
    for cell, properties in zip(grid_cells(image.shape, grid), found, strict=True):
        expected = skimage_glcm(image[cell], (1, 3), levels, PROPERTIES)
        np.testing.assert_array_equal(properties, expected)
