"""Random changes of images, against the same changes made by hand."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from numpy.typing import NDArray

from features.preprocessing.augmentation import SHIFTED, TRAINING, VIEWS, Ranges, augment


def smooth(n: int, side: int = 48, seed: int = 0) -> NDArray[np.uint8]:
    """Images of a few waves, between 60 and 200."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 2 * np.pi, side)
    waves = (
        np.sin(x * rng.uniform(0.5, 2, (n, 1)))[:, :, None]
        * np.cos(x * rng.uniform(0.5, 2, (n, 1)) + 1)[:, None, :]
    )
    return np.asarray(130 + 70 * waves, dtype=np.uint8)


def test_an_image_does_not_depend_on_the_others() -> None:
    images = smooth(6)
    whole = augment(images, range(6))
    assert not np.array_equal(whole, images)
    for k in (3, 0, 5):
        np.testing.assert_array_equal(augment(images[k : k + 1], [k])[0], whole[k])


def test_another_seed_gives_another_image() -> None:
    same = np.repeat(smooth(1), 8, axis=0)
    changed = augment(same, range(8))
    assert len({image.tobytes() for image in changed}) == 8


def test_nothing_is_changed_without_ranges() -> None:
    images = smooth(3)
    np.testing.assert_array_equal(augment(images, range(3), Ranges()), images)


@pytest.mark.parametrize("name", [field.name for field in fields(Ranges)])
def test_a_range_changes_its_own_draw_only(name: str) -> None:
    """The random numbers of one change do not depend on the ranges of the others."""
    wide = {"blurred": {"blurred": 1.0, "blur": 0.02}, "blur": {"blurred": 1.0, "blur": 0.02},
            "noisy": {"noisy": 1.0, "noise": 0.1}, "noise": {"noisy": 1.0, "noise": 0.1},
            "mirrored": {"mirrored": 1.0}, "rotation": {"rotation": 10.0}}  # fmt: skip
    own = wide.get(name, {name: 1.3 if name in ("scale", "aspect", "gamma", "contrast") else 0.1})
    images = smooth(5)
    alone = augment(images, range(5), Ranges(**own))
    assert (alone != images).any()
    mirrored = augment(images, range(5), Ranges(**{"mirrored": 1.0, **own}))
    if name in ("gamma", "contrast", "brightness", "mirrored"):
        np.testing.assert_array_equal(mirrored, augment(images[:, :, ::-1], range(5), Ranges(**own))
                                      if name != "mirrored" else alone)  # fmt: skip


def test_a_shift_moves_pixels_and_repeats_the_edge() -> None:
    image = smooth(1, side=40)
    moved = augment(image, [3], Ranges(shift=0.3))[0].astype(float)
    found = [
        (np.abs(moved[8:-8, 8:-8] - np.roll(image[0], (dy, dx), (0, 1))[8:-8, 8:-8]).mean(), dy, dx)
        for dy in range(-12, 13) for dx in range(-12, 13)
    ]  # fmt: skip
    error, dy, dx = min(found)
    assert error < 30
    assert (dy, dx) != (0, 0)
    if dy > 0:
        assert np.ptp(moved[:dy, 20]) <= 2


def test_rotation_and_scale_are_about_the_centre() -> None:
    """The grey value of the middle pixel stays, whatever the angle and the scale."""
    images = smooth(10, side=41)
    changed = augment(images, range(10), Ranges(rotation=20, scale=1.3, aspect=1.2))
    middle = np.abs(changed[:, 20, 20].astype(int) - images[:, 20, 20])
    assert middle.max() <= 1
    assert (changed != images).any(axis=(1, 2)).all()


def test_contrast_is_about_the_mean_and_brightness_is_added() -> None:
    images = smooth(20)
    brighter = augment(images, range(20), Ranges(brightness=0.1)).astype(float) - images
    assert np.ptp(brighter, axis=(1, 2)).max() <= 1
    assert 5 < np.abs(brighter).max() <= 26
    stronger = augment(images, range(20), Ranges(contrast=1.2)).astype(float)
    np.testing.assert_allclose(stronger.mean((1, 2)), images.mean((1, 2)), atol=0.6)
    ratio = stronger.std((1, 2)) / images.std((1, 2))
    assert (ratio > 1 / 1.21).all()
    assert (ratio < 1.21).all()
    assert ratio.std() > 0.03


def test_blur_and_noise_are_as_rare_and_as_strong_as_stated() -> None:
    images = np.full((400, 32, 32), 128, np.uint8)
    noisy = augment(images, range(400), Ranges(noisy=0.25, noise=0.03)).std(axis=(1, 2))
    assert 0.15 < (noisy > 0.5).mean() < 0.3
    assert noisy.max() < 255 * 0.03 * 1.2
    sharp = np.zeros((400, 32, 32), np.uint8)
    sharp[:, :, 16:] = 200
    blurred = augment(sharp, range(400), Ranges(blurred=0.25, blur=0.03)) != sharp
    assert 0.1 < blurred.any(axis=(1, 2)).mean() < 0.3


def test_views_change_less_than_copies_and_copies_less_than_the_shift() -> None:
    for field in fields(Ranges):
        assert getattr(VIEWS, field.name) <= getattr(TRAINING, field.name)
        if field.name != "mirrored":
            assert getattr(TRAINING, field.name) < getattr(SHIFTED, field.name)
