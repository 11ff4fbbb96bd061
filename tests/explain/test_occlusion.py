"""Occlusion maps: the change of a score when a patch is covered."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.explain.occlusion import occlusion_map


def test_a_planted_square_is_found() -> None:
    image = np.full((48, 64), 40, dtype=np.uint8)
    image[8:16, 40:48] = 240
    drop = occlusion_map(image, lambda images: (images > 200).mean(axis=(1, 2)), 8, 4)
    assert drop.shape == image.shape
    top, left = np.unravel_index(drop.argmax(), drop.shape)
    assert 8 <= top < 16
    assert 40 <= left < 48
    assert drop[30:, :30].max() == 0


def test_values_are_means_over_the_patches_that_cover_a_pixel() -> None:
    """Patches begin at 0, 1 and, though the stride is 2 from there on, at the border."""
    image = np.array([[0, 0, 0, 90]] * 3, dtype=np.uint8)  # mean 22.5, rounded to even
    covered = occlusion_map(image, lambda images: images[:, 1, 3].astype(float), 3, 2)
    # Squares at columns 0 and 1; only the second covers the pixel that is scored: 90 - 22.
    np.testing.assert_array_equal(covered, [[0, 34, 34, 68]] * 3)


def test_several_scores_are_independent_of_the_batch_size() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 24), dtype=np.uint8)
    sizes = []

    def scores(images: NDArray[np.uint8]) -> NDArray[np.float64]:
        sizes.append(len(images))
        return np.stack([images.mean(axis=(1, 2)), images[:, 0, 0] / 255], axis=1)

    both = occlusion_map(image, scores, 6, 3, batch=7)
    assert both.shape == (20, 24, 2)
    assert max(sizes) == 7
    one = occlusion_map(image, lambda images: images[:, 0, 0] / 255, 6, 3)
    np.testing.assert_array_equal(both[..., 1], one)


@pytest.mark.parametrize(("patch", "stride"), [(30, 5), (8, 9), (8, 0)])
def test_patches_that_do_not_fit_are_refused(patch: int, stride: int) -> None:
    image = np.zeros((20, 24), dtype=np.uint8)
    with pytest.raises(ValueError, match=f"Got a patch of {patch} and a stride of {stride} pix"):
        occlusion_map(image, lambda images: images.mean(axis=(1, 2)), patch, stride)
