from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from features.gabor import Gabor, gabor_kernel
from features.geometry import grid_cells
from features.reading.images import read_image
from tests.helpers import grey_images


def test_kernel_ignores_constant_light() -> None:
    kernel = gabor_kernel(8, 0.3)
    assert abs(kernel.sum()) < 1e-6
    assert np.abs(kernel).sum() == pytest.approx(1, abs=1e-5)
    assert kernel.shape == (29, 29)  # 2 × ceil(3 × 0.56 × 8) + 1


def test_a_wave_answers_its_own_filter_most() -> None:
    x = np.arange(96)
    wave = (127 + 100 * np.cos(2 * np.pi * x / 8)).astype(np.uint8)
    upright = np.tile(wave, (96, 1))  # changes along x: direction 0°
    gabor = Gabor()
    rows = gabor.fit_transform(np.stack([upright, upright.T]))
    names = gabor.get_feature_names_out()
    means = [i for i, name in enumerate(names) if name.endswith("/mean")]
    strongest = [names[means[np.argmax(row[means])]] for row in rows]
    assert strongest == ["gabor/w08/a000/mean", "gabor/w08/a090/mean"]


def energies(image: NDArray[np.uint8], gabor: Gabor) -> NDArray[np.float64]:
    """Columns of ``gabor`` by two-dimensional correlation in float64, borders mirrored."""
    columns: list[float] = []
    for wavelength in gabor.wavelengths:
        sigma = 0.56 * wavelength
        reach = int(np.ceil(3 * sigma))
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2))
        padded = np.pad(image.astype(np.float64), reach, mode="symmetric")
        for k in range(gabor.orientations):
            angle = np.pi * k / gabor.orientations
            wave = np.exp(2j * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / wavelength)
            kernel = envelope * (wave - (envelope * wave).sum() / envelope.sum())
            response = fftconvolve(padded, kernel[::-1, ::-1], mode="valid")
            magnitude = np.abs(response) / np.abs(kernel).sum()
            cells = [magnitude[cell].mean() for cell in grid_cells(image.shape, gabor.grid)]
            columns += [magnitude.mean(), magnitude.std(), *cells]
    return np.array(columns)


@settings(deadline=None, max_examples=60)
@given(
    grey_images(16, 70),
    st.sampled_from([(4, 8, 16), (3.3,), (2, 25)]),
    st.integers(1, 7),
    st.integers(1, 5),
)
def test_columns_equal_plain_correlation(
    image: NDArray[np.uint8], wavelengths: tuple[float, ...], orientations: int, grid: int
) -> None:
    """For kernels larger than the image too: 16 pixels a side against a reach of 42."""
    gabor = Gabor(wavelengths, orientations, grid)
    row = gabor.fit_transform(image[None])[0]
    np.testing.assert_allclose(row, energies(image, gabor), rtol=2e-5, atol=2e-5)


@pytest.mark.real
def test_columns_of_radiographs_equal_plain_correlation(real_data: Path) -> None:
    for file in sorted(real_data.glob("test/*/*.jpeg"))[::200]:
        image = read_image(file).pixels
        row = Gabor().fit_transform(image[None])[0]
        np.testing.assert_allclose(row, energies(image, Gabor()), rtol=1e-5)


@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_constant_light_has_no_energy(value: int) -> None:
    assert not Gabor().fit_transform(np.full((1, 40, 57), value, np.uint8)).any()


def test_values_are_the_same_wherever_arrays_lie_in_memory() -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 67, 61), dtype=np.uint8)
    expected = Gabor().fit_transform(image)
    for skip in range(1, 70, 3):
        room = np.empty(skip + image.size, np.uint8)
        moved = room[skip:].reshape(image.shape)
        moved[:] = image
        np.testing.assert_array_equal(Gabor().fit_transform(moved), expected)


def test_texture_in_one_cell_shows_in_that_cell() -> None:
    image = np.full((1, 128, 128), 100, np.uint8)
    image[0, 40:56, 72:88] = np.tile(np.array([50, 50, 150, 150], np.uint8), (16, 4))
    gabor = Gabor(wavelengths=(4,), orientations=2)
    row = gabor.fit_transform(image)[0]
    value = dict(zip(gabor.get_feature_names_out(), row, strict=True))
    cells = {name: v for name, v in value.items() if "/a000/cell" in name}
    assert max(cells, key=lambda name: cells[name]) == "gabor/w04/a000/cell06"
