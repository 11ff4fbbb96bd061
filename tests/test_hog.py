from __future__ import annotations

import numpy as np
import pytest

from features.hog import Hog


def test_a_ramp_has_one_direction() -> None:
    """Brightness rises by 2 a pixel to the right: all gradients lie in bin 0."""
    ramp = np.tile(np.arange(0, 128, 2, dtype=np.uint8), (64, 1))[None]
    hog = Hog()
    row = hog.fit_transform(ramp)[0]
    names = hog.get_feature_names_out()
    assert all(value == 0 for value, name in zip(row, names, strict=True) if "/bin0/" not in name)
    inner = {name: value for value, name in zip(row, names, strict=True) if "/bin0/" in name}
    # Four equal cells a block, so the L2 norm makes each 1/2.
    assert inner["hog/row01/col01/bin0/block3"] == pytest.approx(0.5, abs=0.02)


def test_bright_cell_shows_in_columns_of_its_name() -> None:
    image = np.zeros((1, 64, 64), np.uint8)
    image[0, 20:28, 36:44] = 200  # inside row 1, column 2
    hog = Hog()
    row = hog.fit_transform(image)[0]
    names = hog.get_feature_names_out()
    lit = {name.rsplit("/", 2)[0] for value, name in zip(row, names, strict=True) if value > 0}
    assert lit == {"hog/row01/col02"}


def test_too_small_an_image_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 a side"):
        Hog().fit_transform(np.zeros((1, 31, 64), np.uint8))
