from __future__ import annotations

import numpy as np
import pytest

from features.gabor import Gabor, gabor_kernel, gabor_magnitude


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


def test_magnitude_is_the_same_wherever_arrays_lie_in_memory() -> None:
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (224, 224)).astype(np.float32)
    kernel = gabor_kernel(8, 0.8)
    seen, junk = set(), []
    for k in range(40):
        junk.append(np.empty(1000 * k + 7, np.uint8))
        seen.add(gabor_magnitude(grey.copy(), kernel).tobytes())
    assert len(seen) == 1


def test_texture_in_one_cell_shows_in_that_cell() -> None:
    image = np.full((1, 128, 128), 100, np.uint8)
    image[0, 40:56, 72:88] = np.tile(np.array([50, 50, 150, 150], np.uint8), (16, 4))
    gabor = Gabor(wavelengths=(4,), orientations=2)
    row = gabor.fit_transform(image)[0]
    value = dict(zip(gabor.get_feature_names_out(), row, strict=True))
    cells = {name: v for name, v in value.items() if "/a000/cell" in name}
    assert max(cells, key=lambda name: cells[name]) == "gabor/w04/a000/cell06"
