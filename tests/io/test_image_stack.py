from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmarks.io.image_stack import ImageFile, ImageStack
from tests.helpers import textured

IMAGES = textured(7, 32)[0]


@pytest.fixture(params=["memory", "file"])
def stack(request: pytest.FixtureRequest, tmp_path: Path) -> ImageStack:
    if request.param == "memory":
        return ImageStack.of(IMAGES)
    file = ImageFile(tmp_path, 32)
    for image in IMAGES:
        file.append(image)
    return file.images()


@pytest.mark.parametrize(
    "index",
    [3, slice(2, 5), [6, 0, 0], np.array([1, 4]), np.arange(7) % 2 == 0, slice(0)],
    ids=repr,
)
def test_reads_like_an_array(stack: ImageStack, index: object) -> None:
    np.testing.assert_array_equal(stack[index], IMAGES[index])
    assert stack[index].dtype == np.uint8


def test_looks_like_an_array(stack: ImageStack) -> None:
    assert (stack.shape, stack.ndim, stack.dtype, len(stack)) == ((7, 32, 32), 3, np.uint8, 7)


def test_parts_and_transforms_read_on_access(stack: ImageStack) -> None:
    part = stack.take([5, 2]).map(lambda images: 255 - images[:, 8:24, 8:24], 16).take([1])
    assert part.shape == (1, 16, 16)
    np.testing.assert_array_equal(part[0], 255 - IMAGES[2, 8:24, 8:24])


def test_threads_read_in_parallel(stack: ImageStack) -> None:
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda k: stack[k % 7], range(200)))
    assert all(np.array_equal(image, IMAGES[k % 7]) for k, image in enumerate(read))


def test_file_leaves_nothing_behind(tmp_path: Path) -> None:
    file = ImageFile(tmp_path, 32)
    file.append(IMAGES[0])
    del file
    assert list(tmp_path.iterdir()) == []


def test_file_rejects_another_size(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Got an image of shape .16, 32. .* but expected 32 × 32"):
        ImageFile(tmp_path, 32).append(IMAGES[0][:16])
