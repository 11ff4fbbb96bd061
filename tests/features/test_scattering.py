"""Wavelet scattering: against its definition in float64, and on planted waves."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.scattering import FREQUENCY, MARGIN, SIDE, SMALLEST, WIDTH, Scattering, filter_bank
from tests.helpers import textured

Plane = NDArray[np.float64]
AXIS = np.arange(SIDE)


def morlet(size: int, scale: int, angle: float, slant: float) -> NDArray[np.complex128]:
    """Spectrum of a Morlet wavelet that is made in space, with periodic copies."""
    axis = np.fft.fftfreq(size) * size
    wave = np.zeros((size, size), complex)
    envelope = np.zeros((size, size))
    for down, right in product((-2, -1, 0, 1, 2), repeat=2):
        y, x = (axis + size * down)[:, None], (axis + size * right)[None, :]
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        bell = np.exp(-(along**2 + slant**2 * across**2) / (2 * (WIDTH * 2**scale) ** 2))
        wave += bell * np.exp(1j * FREQUENCY / 2**scale * along)
        envelope += bell
    wave -= wave.sum() / envelope.sum() * envelope
    return np.asarray(np.fft.fft2(wave / envelope.sum()))


def convolved(image: Plane, spectrum: NDArray[np.complexfloating[Any, Any]], step: int) -> Plane:
    """Modulus of a circular convolution at every step-th pixel."""
    return np.abs(np.fft.ifft2(np.fft.fft2(image) * spectrum))[::step, ::step]


def cell_means(plane: Plane, grid: int) -> Plane:
    """Means over the cells, without the mirrored margin."""
    margin = len(plane) * MARGIN // (SIDE + 2 * MARGIN)
    inner = plane[margin : len(plane) - margin, margin : len(plane) - margin]
    rows = [np.split(part, grid, axis=1) for part in np.split(inner, grid, axis=0)]
    return np.array([cell.mean() for row in rows for cell in row])


def described(image: NDArray[np.uint8], **parameters: Any) -> dict[str, float]:
    scattering = Scattering(**parameters)
    row = scattering.fit_transform(image[None])[0]
    return dict(zip(map(str, scattering.get_feature_names_out()), row.tolist(), strict=True))


def waves(length: float, down: float, right: float) -> Plane:
    """Waves with a direction given by its parts, between −1 and 1."""
    return np.asarray(np.cos(2 * np.pi / length * (down * AXIS[:, None] + right * AXIS[None, :])))


@pytest.mark.parametrize("scale", [0, 1, 2, 3])
def test_filters_are_morlet_wavelets(scale: int) -> None:
    for k, ours in enumerate(filter_bank(160, scale, 6)):
        own = morlet(160, scale, np.pi * k / 6, 4 / 6)
        assert np.abs(own - ours).max() < 0.003
        assert ours[0, 0] == pytest.approx(0, abs=1e-6)


def test_columns_equal_the_definition() -> None:
    image = textured(1, SIDE)[0][0]
    padded = np.pad(image.astype(float), MARGIN, mode="reflect")
    found = described(image, scales=3, angles=2, grid=2)
    expected: dict[str, Plane] = {"mean": padded}
    angles = (0, 90)
    for scale, (k, angle) in product(range(3), enumerate(angles)):
        first = convolved(padded, filter_bank(len(padded), scale, 2)[k], 2**scale)
        expected[f"s{scale}/a{angle:03d}"] = first
        for larger, (m, other) in product(range(scale + 1, 3), enumerate(angles)):
            bank = filter_bank(len(first), larger - scale, 2)
            name = f"s{scale}-s{larger}/a{angle:03d}-a{other:03d}"
            expected[name] = convolved(first, bank[m], 2 ** (larger - scale))
    values = {
        f"scattering/{name}/cell{cell:02d}": np.log(mean + SMALLEST)
        for name, plane in expected.items()
        for cell, mean in enumerate(cell_means(plane, 2))
    }
    assert set(found) == set(values)
    assert found == pytest.approx(values, abs=2e-4)


def test_constant_image_has_no_waves() -> None:
    found = described(np.full((50, 64), 90, np.uint8), grid=2)
    for name, value in found.items():
        own = 90 if "/mean/" in name else 0
        assert value == pytest.approx(np.log(own + SMALLEST), abs=1e-3), name


@pytest.mark.parametrize(("scale", "angle"), [(0, 0), (1, 90), (2, 30), (3, 120)])
def test_waves_have_their_scale_and_direction(scale: int, angle: int) -> None:
    turn = np.deg2rad(angle)
    pattern = waves(8 / 3 * 2**scale, np.sin(turn), np.cos(turn))
    found = described((128 + 60 * pattern).astype(np.uint8), grid=1)
    first = {name: value for name, value in found.items() if name.count("/a") and "-" not in name}
    assert max(first, key=first.__getitem__) == f"scattering/s{scale}/a{angle:03d}/cell00"


def test_second_order_is_the_waves_in_the_strength_of_waves() -> None:
    """Fine waves across, whose strength rises and falls downwards."""
    pattern = waves(8 / 3, 0, 1) * (1 + waves(64 / 3, 1, 0)) / 2
    found = described((128 + 100 * pattern).astype(np.uint8), grid=1)
    second = {name: value for name, value in found.items() if "-" in name}
    assert max(second, key=second.__getitem__) == "scattering/s0-s3/a000-a090/cell00"


def test_a_spot_changes_its_own_cell_most() -> None:
    scattering = Scattering().fit(np.zeros((1, 200, 96), np.uint8))
    names = list(map(str, scattering.get_feature_names_out()))
    for cell in (0, 6, 15):
        row, column = divmod(cell, 4)
        image = np.full((1, 200, 96), 100, np.uint8)
        image[0, 50 * row + 22 : 50 * row + 28, 24 * column + 11 : 24 * column + 14] = 160
        change = np.abs(scattering.transform(image) - scattering.transform(image * 0 + 100))[0]
        by_cell = {f"cell{k:02d}": change[[n.endswith(f"cell{k:02d}") for n in names]].sum()
                   for k in range(16)}  # fmt: skip
        assert max(by_cell, key=by_cell.__getitem__) == f"cell{cell:02d}"
        region = scattering.region(f"scattering/s1/a030/cell{cell:02d}")
        assert region is not None
        assert region[5:] == (50 * row, 50 * row + 50, 24 * column, 24 * column + 24)


def test_batches_and_threads_change_nothing() -> None:
    images = textured(5)[0]
    scattering = Scattering()
    expected = np.stack([scattering.describe(image) for image in images])
    for size, jobs in ((1, 1), (2, 2), (32, 1)):
        scattering.batch_size, scattering.n_jobs = size, jobs
        np.testing.assert_array_equal(scattering.fit_transform(images), expected)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"scales": 5}, r"number of scales of 5, but expected one of \(1, 2, 3, 4\)"),
        ({"grid": 3}, r"grid of 3, but expected one of \(1, 2, 4, 8\)"),
        ({"angles": 0}, "Got 0 scattering angles, but expected a whole number from 1 to 32"),
        ({"angles": 2.5}, r"Got 2\.5 scattering angles"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scattering(**parameters).fit_transform(np.zeros((1, 64, 80), np.uint8))
