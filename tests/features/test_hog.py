from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.speed.library_features import skimage_hog
from features.hog import Hog, gradient_tables, pairwise_sum
from tests.helpers import grey_images


def test_a_ramp_has_one_direction() -> None:
    """Brightness rises by 2 a pixel to the right: all gradients lie in bin 0."""
    ramp = np.tile(np.arange(0, 128, 2, dtype=np.uint8), (64, 1))[None]
    hog = Hog()
    row = hog.fit_transform(ramp)[0]
    names = hog.get_feature_names_out()
    assert all(value == 0 for value, name in zip(row, names, strict=True) if "/bin0/" not in name)
    inner = {name: value for value, name in zip(row, names, strict=True) if "/bin0/" in name}
    # Four equal cells a block, so the L2 norm makes each 1/2.
    assert inner["hog/row01/col01/bin0/block3"] == pytest.approx(0.5, abs=0.02)


def test_bright_cell_shows_in_columns_of_its_name() -> None:
    image = np.zeros((1, 64, 64), np.uint8)
    image[0, 20:28, 36:44] = 200  # inside row 1, column 2
    hog = Hog()
    row = hog.fit_transform(image)[0]
    names = hog.get_feature_names_out()
    lit = {name.rsplit("/", 2)[0] for value, name in zip(row, names, strict=True) if value > 0}
    assert lit == {"hog/row01/col02"}


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 per side"):
        Hog().fit_transform(np.zeros((1, 31, 64), np.uint8))


@settings(deadline=None, max_examples=60)
@given(grey_images(20, 70), st.integers(1, 13), st.integers(4, 10), st.integers(1, 2))
def test_equal_to_scikit_image(
    image: NDArray[np.uint8], orientations: int, cell: int, block: int
) -> None:
    """Bit by bit, for odd sizes, cells and numbers of bins too."""
    hog = Hog(orientations=orientations, cell=cell, block=block)
    expected = skimage_hog(image, orientations, cell, block)
    np.testing.assert_array_equal(hog.describe_batch(image[None])[0], expected.astype(np.float32))


def test_many_values_a_block_are_summed_as_numpy_does() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    hog = Hog(orientations=12, cell=8, block=5)  # 300 values
    expected = skimage_hog(image, 12, 8, 5).astype(np.float32)
    np.testing.assert_array_equal(hog.describe_batch(image[None])[0], expected)


@pytest.mark.parametrize("n", [1, 7, 8, 36, 127, 128, 129, 300, 1111])
def test_pairwise_sum_is_numpys(n: int) -> None:
    values = np.random.default_rng(n).random(n)
    assert pairwise_sum(values) == values.sum()


def test_table_bins_by_hand() -> None:
    """Bins of 45° hold their lower edge; opposite directions are one."""
    bins = gradient_tables(4)[0].reshape(511, 511)
    ways = [(0, 1), (0, -1), (1, 1), (-1, -1), (1, 0), (1, -1), (-1, 1), (100, -101)]
    assert [int(bins[255 + dy, 255 + dx]) for dy, dx in ways] == [0, 0, 1, 1, 2, 3, 3, 3]
