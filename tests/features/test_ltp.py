from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.geometry import grid_cells
from features.ltp import N_CODES, STEPS, Ltp, code_of_pattern
from tests.helpers import grey_images, textured


def neighbours(image: NDArray[np.uint8], radius: int) -> list[NDArray[np.float64]]:
    """Values of the eight neighbours of every pixel, in float64."""
    height, width = image.shape
    padded = np.pad(image.astype(np.float64), radius + 1, mode="edge")

    def shifted(down: int, right: int) -> NDArray[np.float64]:
        top, left = radius + 1 + down, radius + 1 + right
        return padded[top : top + height, left : left + width]

    def between(down: float, right: float) -> NDArray[np.float64]:
        y, x = int(np.floor(down)), int(np.floor(right))
        v, u = down - y, right - x
        above = (1 - u) * shifted(y, x) + u * shifted(y, x + 1)
        below = (1 - u) * shifted(y + 1, x) + u * shifted(y + 1, x + 1)
        return (1 - v) * above + v * below

    d = round(radius / np.sqrt(2) * STEPS) / STEPS
    r = float(radius)
    places = [(0, r), (-d, d), (-r, 0), (-d, -d), (0, -r), (d, -d), (r, 0), (d, d)]
    return [between(down, right) for down, right in places]


def reference(
    image: NDArray[np.uint8], radii: tuple[int, ...], threshold: int, grid: int
) -> NDArray[np.float32]:
    """The columns by their definition."""
    parts = []
    for radius in radii:
        differences = [value - image for value in neighbours(image, radius)]
        brighter = sum((d >= threshold).astype(int) << k for k, d in enumerate(differences))
        darker = sum((d <= -threshold).astype(int) << k for k, d in enumerate(differences))
        for cell in grid_cells(image.shape, grid):
            for pattern in (brighter, darker):
                codes = code_of_pattern()[np.asarray(pattern)[cell]].ravel()
                counts = np.bincount(codes, minlength=N_CODES).astype(np.float32)
                parts.append(np.sqrt(counts / np.float32(codes.size)))
    return np.concatenate(parts)


def described(image: NDArray[np.uint8], **parameters: Any) -> dict[str, float]:
    """Columns that are not zero, by name."""
    ltp = Ltp(**parameters)
    row = ltp.fit_transform(image[None])[0]
    names = map(str, ltp.get_feature_names_out())
    return {name: value for name, value in zip(names, row, strict=True) if value}


def test_uniform_patterns_have_a_code_each() -> None:
    codes = code_of_pattern()
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    assert sorted(codes[uniform]) == list(range(58))
    assert set(codes[~uniform]) == {58}


@settings(deadline=None, max_examples=60)
@given(
    grey_images(16, 60), st.tuples(st.integers(1, 8), st.integers(1, 8)),
    st.sampled_from([1, 2, 4, 255]), st.integers(1, 16),
)  # fmt: skip
def test_columns_equal_the_definition(
    image: NDArray[np.uint8], radii: tuple[int, int], threshold: int, grid: int
) -> None:
    """Bit by bit, ties included."""
    row = Ltp(radii=radii, threshold=threshold, grid=grid).transform(image[None])[0]
    np.testing.assert_array_equal(row, reference(image, radii, threshold, grid))


@pytest.mark.parametrize("value", [0, 7, 255])
def test_constant_image_has_no_brighter_or_darker_neighbour(value: int) -> None:
    found = described(np.full((50, 64), value, np.uint8), radii=(1, 3), grid=2)
    assert set(found) == {
        f"ltp/r{r}/cell{c:02d}/{p}/code00"
        for r in (1, 3) for c in range(4) for p in ("brighter", "darker")
    }  # fmt: skip
    assert set(found.values()) == {1}


@pytest.mark.parametrize("radius", [1, 3])
def test_edge_has_the_code_of_its_direction(radius: int) -> None:
    """Bright from column 30 on: it is on the right of the pixels left of it, and so on."""
    image = np.full((60, 60), 20, np.uint8)
    image[:, 30:] = 200
    found = described(image, radii=(radius,), grid=3)
    own = {name: value for name, value in found.items() if not name.endswith("code00")}
    share = np.sqrt(np.float32(radius * 20) / np.float32(400))
    right, left = 17 + 7, 17 + 3  # three neighbours, from 315° and from 135°
    cells = range(1, 9, 3)
    assert own == {
        **{f"ltp/r{radius}/cell{c:02d}/brighter/code{right}": share for c in cells},
        **{f"ltp/r{radius}/cell{c:02d}/darker/code{left}": share for c in cells},
    }


@pytest.mark.parametrize(("spot", "pattern"), [(255, "darker"), (0, "brighter")])
def test_spots_have_all_neighbours_on_one_side(spot: int, pattern: str) -> None:
    image = np.full((60, 60), 100, np.uint8)
    image[25:35:4, 25:35:4] = spot  # 9 points in the middle cell of 20 × 20 pixels
    found = described(image, radii=(1,), grid=3)
    all_codes = {name: value for name, value in found.items() if name.endswith("code57")}
    assert all_codes == {f"ltp/r1/cell04/{pattern}/code57": np.sqrt(np.float32(9 / 400))}


def test_a_difference_of_the_threshold_counts_between_pixels_too() -> None:
    """At radius 3, columns 28 and 29 have three neighbours on the bright side, column 27 one."""
    image = np.full((60, 60), 100, np.uint8)
    image[:, 30:] = 104
    found = described(image, radii=(3,), grid=1, threshold=4)
    assert found["ltp/r3/cell00/brighter/code24"] == np.sqrt(np.float32(2 / 60))
    assert found["ltp/r3/cell00/brighter/code01"] == np.sqrt(np.float32(1 / 60))
    names = {f"ltp/r3/cell00/{pattern}/code00" for pattern in ("brighter", "darker")}
    assert set(described(image, radii=(3,), grid=1, threshold=5)) == names


def test_noise_below_the_threshold_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(100, 104, (64, 64)).astype(np.uint8)
    assert described(noise) == described(np.full((64, 64), 9, np.uint8))


@pytest.mark.parametrize("shape", [(64, 64), (50, 71)])
def test_columns_are_in_the_region_of_their_name(shape: tuple[int, int]) -> None:
    """A spot in the middle of a cell changes columns of this cell alone."""
    ltp = Ltp(radii=(1, 2), grid=3).fit(np.zeros((1, *shape), np.uint8))
    names = list(map(str, ltp.get_feature_names_out()))
    for cell, (rows, columns) in enumerate(grid_cells(shape, 3)):
        image = np.zeros((1, *shape), np.uint8)
        image[0, (rows.start + rows.stop) // 2, (columns.start + columns.stop) // 2] = 255
        changed = np.flatnonzero(ltp.transform(image)[0] != ltp.transform(image * 0)[0])
        regions = {ltp.region(names[k]) for k in changed}
        assert [region and region.name for region in regions] == [f"cell{cell:02d}"]
        (region,) = regions
        assert region is not None
        assert region[5:] == (rows.start, rows.stop, columns.start, columns.stop)
        assert {ltp.part(names[k]) for k in changed} == {"r1", "r2"}


def test_every_histogram_has_length_one() -> None:
    matrix = Ltp().fit_transform(textured(2, 224)[0])
    lengths = np.square(matrix.reshape(-1, N_CODES)).sum(axis=1)
    assert matrix.dtype == np.float32
    assert matrix.min() == 0
    assert matrix.max() <= 1
    np.testing.assert_allclose(lengths, 1, rtol=1e-6)


def test_batches_and_threads_change_nothing() -> None:
    images = textured(7)[0]
    ltp = Ltp()
    expected = np.stack([ltp.describe_batch(image[None])[0] for image in images])
    for size, jobs in ((1, 1), (3, 2), (32, 1)):
        ltp.batch_size, ltp.n_jobs = size, jobs
        np.testing.assert_array_equal(ltp.fit_transform(images), expected)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"radii": (0,)}, "radius of 0, but expected whole pixels from 1 to 8"),
        ({"radii": (1, 9)}, "radius of 9, but expected whole pixels from 1 to 8"),
        ({"radii": (1.5,)}, r"radius of 1\.5, but expected whole pixels"),
        ({"radii": ()}, "no LTP radius, but expected at least one"),
        ({"threshold": 0}, "threshold of 0, but expected whole grey values from 1 to 255"),
        ({"threshold": 256}, "threshold of 256, but expected whole grey values"),
        ({"threshold": 2.5}, r"threshold of 2\.5, but expected whole grey values"),
        ({"grid": 0}, "grid of 0, but expected a whole number of cells per side from 1 to 64"),
        ({"grid": 65}, "grid of 65, but expected a whole number of cells per side from 1 to 64"),
        ({"grid": 2.5}, r"grid of 2\.5, but expected a whole number"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Ltp(**parameters).fit_transform(np.zeros((1, 64, 80), np.uint8))
