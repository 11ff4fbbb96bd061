from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from features.reading.preprocess import central_crop, grey_percentiles, resize, stretch_contrast


def test_shrinking_averages_areas() -> None:
    image = np.array([[0, 100, 10, 30], [100, 200, 10, 30]] * 2, np.uint8)
    np.testing.assert_array_equal(resize(image, 2), [[100, 20], [100, 20]])


def test_one_side_shrinks_by_areas_while_the_other_grows() -> None:
    stripes = np.tile(np.array([0, 200], np.uint8), (16, 64))  # 16 × 128, to 32 × 32
    assert (resize(stripes, 32) == 100).all()


def test_enlarging_keeps_a_constant_and_the_size_asked() -> None:
    assert (resize(np.full((28, 28), 77, np.uint8), 224) == 77).all()
    assert resize(np.zeros((28, 60), np.uint8), 224).shape == (224, 224)


def test_crop_is_central() -> None:
    image = np.arange(36, dtype=np.uint8).reshape(1, 6, 6)
    np.testing.assert_array_equal(central_crop(image, 2)[0], [[14, 15], [20, 21]])


def test_contrast_takes_out_exposure() -> None:
    image = np.random.default_rng(0).integers(40, 80, (1, 64, 64), dtype=np.uint8)
    brighter = image * 2 + 60
    np.testing.assert_array_equal(stretch_contrast(image), stretch_contrast(brighter))
    stretched = stretch_contrast(image)
    assert stretched.min() == 0
    assert stretched.max() == 255


def test_constant_images_become_black() -> None:
    assert (stretch_contrast(np.full((2, 16, 16), 99, np.uint8)) == 0).all()


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.integers(0, 255), min_size=1, max_size=200),
    percentiles=st.lists(st.floats(0, 100), min_size=1, max_size=5),
)
def test_percentiles_are_numpys(values: list[int], percentiles: list[float]) -> None:
    image = np.array(values, np.uint8)
    assert grey_percentiles(image, *percentiles) == np.percentile(image, percentiles).tolist()
