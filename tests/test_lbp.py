from __future__ import annotations

import numpy as np

from features.lbp import Lbp, cell_histograms


def test_constant_image_has_all_neighbours_equal() -> None:
    """Equal counts as 'at least as bright': code 8r everywhere but where the border (0) shows."""
    lbp = Lbp(radii=(1, 2), grid=3)
    row = lbp.fit_transform(np.full((1, 66, 66), 9, np.uint8))[0]
    value = dict(zip(lbp.get_feature_names_out(), row, strict=True))
    assert value["lbp/r1/cell04/code08"] == 1
    assert value["lbp/r2/cell04/code16"] == 1
    assert value["lbp/r1/cell04/code09"] == 0


def test_bright_points_have_code_zero() -> None:
    image = np.zeros((1, 60, 60), np.uint8)
    image[0, 25:35:3, 25:35:3] = 255  # 4 × 4 single points in the middle cell of 20 × 20 pixels
    lbp = Lbp(radii=(1,), grid=3)
    row = lbp.fit_transform(image)[0]
    value = dict(zip(lbp.get_feature_names_out(), row, strict=True))
    assert value["lbp/r1/cell04/code00"] == np.float32(16 / 400)


def test_histograms_by_cell() -> None:
    codes = np.array([[0, 0, 2, 1], [0, 1, 2, 1]])
    expected = [[[0.75, 0.25, 0.0], [0.0, 0.5, 0.5]]]
    top = np.vstack([codes, codes])
    np.testing.assert_array_equal(cell_histograms(top, 3, 2), expected[0] + expected[0])
