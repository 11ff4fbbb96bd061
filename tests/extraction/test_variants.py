"""Copies and views of images as further rows."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.extraction.variants import Variants, change, views_of, with_variants
from benchmarks.io.image_stack import ImageStack
from tests.helpers import textured


def test_every_copy_and_view_has_a_row_of_its_own() -> None:
    made = Variants.of(6, np.array([1, 2, 5]), augment=2, views=3)
    used = [*made.copies[made.copies >= 0], *made.views.ravel()]
    assert sorted(used) == list(range(6, 6 + 3 * 2 + 6 * 2))
    assert (made.copies[[0, 3, 4]] == -1).all()


def test_rows_to_fit_name_the_image_that_each_shows() -> None:
    made = Variants.of(6, np.array([1, 2, 5]), augment=2, views=1)
    images = ImageStack.of(textured(6)[0])
    stack = with_variants(images, made)
    rows, shown = made.to_fit(np.array([2, 5]))
    np.testing.assert_array_equal(shown, [2, 5, 2, 5, 2, 5])
    np.testing.assert_array_equal(stack[rows[:2]], images[[2, 5]])
    for row, image, number in zip(rows[2:], shown[2:], [1, 1, 2, 2], strict=True):
        own = change(images[[image]], np.array([number]))
        np.testing.assert_array_equal(stack[[row]], own)
        assert (own != images[[image]]).any()


def test_views_of_a_new_image_are_those_of_a_run() -> None:
    images = ImageStack.of(textured(4)[0])
    made = Variants.of(4, np.array([0, 1]), augment=1, views=3)
    stack = with_variants(images, made)
    rows = made.to_score(np.array([3, 0]))
    assert len(rows) == 3
    for own, expected in zip(rows, views_of(images[[3, 0]], 3), strict=True):
        np.testing.assert_array_equal(stack[own], expected)


def test_odd_views_are_mirrored() -> None:
    image = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (1, 64, 1))
    left = [view[0, :, :20].mean() < view[0, :, -20:].mean() for view in views_of(image, 5)]
    assert left == [True, False, True, False, True]


@pytest.mark.parametrize("order", [[2, 0, 1], [1, 1, 0]])
def test_the_order_of_images_changes_nothing(order: list[int]) -> None:
    images = textured(3)[0]
    for number in (2, -2):
        whole = change(images, np.full(3, number))
        np.testing.assert_array_equal(change(images[order], np.full(3, number)), whole[order])


def test_no_variants_leave_the_stack_alone() -> None:
    images = ImageStack.of(textured(3)[0])
    assert with_variants(images, None) is images
