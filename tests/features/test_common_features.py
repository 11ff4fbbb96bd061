"""Every entry of FEATURES keeps the descriptors' contract."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from sklearn.base import clone

from features import (
    DEFAULT_FEATURE_SETS,
    FEATURES,
    HANDCRAFTED,
    ImageDescriptor,
    all_feature_sets,
)
from tests.helpers import textured

FAMILIES = [
    pytest.param(name, marks=[pytest.mark.slow] * kind.network) for name, kind in FEATURES.items()
]
NAME = re.compile(r"[a-z_]+(/[A-Za-z0-9_.-]+)+")


def make(family: str) -> ImageDescriptor:
    if not family.startswith("embedding"):
        return FEATURES[family]()
    pytest.importorskip("torch")
    return FEATURES["embedding_random"](backbone="mobilenetv2_050")


@pytest.mark.parametrize("family", FAMILIES)
def test_shape_dtype_and_names(family: str) -> None:
    images, _ = textured(3)
    descriptor = make(family)
    matrix = descriptor.fit_transform(images)
    names = descriptor.get_feature_names_out()
    assert matrix.dtype == np.float32
    assert matrix.shape == (3, len(names))
    assert len(set(names)) == len(names)
    assert all(NAME.fullmatch(name) for name in names)
    assert np.isfinite(matrix).all()
    assert (matrix.std(axis=0) > 0).mean() > 0.5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_row_depends_on_its_image_alone(family: str) -> None:
    """So describing before splitting leaks nothing, and file order changes nothing."""
    images, _ = textured(5)
    descriptor = make(family)
    whole = descriptor.fit_transform(images)
    reversed_order = descriptor.transform(images[::-1].copy())[::-1]
    alone = descriptor.transform(images[2:3])
    tolerance = 1e-4 if family.startswith("embedding") else 0.0
    scale = np.abs(whole).max()
    np.testing.assert_allclose(reversed_order, whole, rtol=tolerance, atol=tolerance * scale)
    np.testing.assert_allclose(alone[0], whole[2], rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("family", [name for name, kind in FEATURES.items() if not kind.network])
def test_number_of_jobs_changes_nothing(family: str) -> None:
    images, _ = textured(4)
    one, two = clone(make(family)), clone(make(family)).set_params(n_jobs=2)
    one.batch_size = two.batch_size = 2
    np.testing.assert_array_equal(one.fit_transform(images), two.fit_transform(images))


@pytest.mark.parametrize("family", [name for name, kind in FEATURES.items() if not kind.network])
def test_layout_in_memory_changes_nothing(family: str) -> None:
    images, _ = textured(2)
    descriptor = make(family)
    expected = descriptor.fit_transform(images)
    locked = images.copy()
    locked.flags.writeable = False
    for same in (np.asfortranarray(images), locked, images.repeat(2, axis=2)[:, :, ::2]):
        np.testing.assert_array_equal(descriptor.transform(same), expected)


@pytest.mark.parametrize("family", HANDCRAFTED)
def test_kernels_leave_the_interpreter_to_other_threads(family: str) -> None:
    """``test_compiled`` shows what ``nogil`` does."""
    module = vars(sys.modules[FEATURES[family].__module__])
    kernels = [value for value in module.values() if isinstance(value, Dispatcher)]
    assert kernels
    assert all(kernel.targetoptions["nogil"] for kernel in kernels)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("family", FAMILIES)
def test_constant_images_have_finite_features(family: str, value: int) -> None:
    images = np.full((2, 64, 80), value, dtype=np.uint8)
    assert np.isfinite(make(family).fit_transform(images)).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "images",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((2, 64, 64), np.float32),
        np.zeros((0, 64, 64), np.uint8),
        np.zeros((1, 8, 8), np.uint8),
    ],
)
def test_other_arrays_are_refused(family: str, images: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        make(family).fit_transform(images)


def test_feature_sets_name_families() -> None:
    assert set(DEFAULT_FEATURE_SETS) <= set(all_feature_sets())
    assert {family for families in all_feature_sets().values() for family in families} == set(
        FEATURES
    )


class Broken(ImageDescriptor):
    """Brightness of the first pixel; none where that is 7."""

    batch_size = 2

    def __init__(self, n_jobs: int) -> None:
        self.n_jobs = n_jobs

    def describe(self, image: np.ndarray) -> np.ndarray:
        return np.array([0.0, np.nan if image[0, 0] == 7 else image[0, 0]])

    def feature_names(self, height: int, width: int) -> list[str]:
        return ["broken/zero", "broken/pixel"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_feature_that_is_not_finite_is_named(jobs: int) -> None:
    images = np.zeros((7, 16, 16), np.uint8)
    images[:, 0, 0] = range(7)
    np.testing.assert_array_equal(Broken(jobs).fit_transform(images)[:, 1], range(7))
    images[5, 0, 0] = 7
    with pytest.raises(ValueError, match=r"feature broken/pixel of image 5, but expected"):
        Broken(jobs).fit_transform(images)


@pytest.mark.parametrize("family", FAMILIES)
def test_declarations_are_complete(family: str) -> None:
    kind = FEATURES[family]
    assert kind.title
    assert kind.description
    for work in kind.references.values():
        assert {"kind", "authors", "title", "year", "venue"} <= set(work)
        assert work.get("doi") or work.get("url")


def test_titles_are_unique() -> None:
    assert len({kind.title for kind in FEATURES.values()}) == len(FEATURES)
