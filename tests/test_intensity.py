from __future__ import annotations

import numpy as np
import pytest

from features.intensity import STATISTICS, Intensity, grey_statistics


def test_statistics_by_hand() -> None:
    value = dict(zip(STATISTICS, grey_statistics(np.array([0, 0, 0, 4], np.uint8)), strict=True))
    assert value["mean"] == 1
    assert value["std"] == pytest.approx(np.sqrt(3))
    assert value["skewness"] == pytest.approx(6 / 3**1.5)  # (3·(−1)³ + 3³)/4 over σ³
    assert value["kurtosis"] == pytest.approx(21 / 9 - 3)
    assert value["p50"] == 0
    assert value["entropy"] == pytest.approx(2 - 0.75 * np.log2(3))


def test_cells_are_counted_row_by_row() -> None:
    image = np.zeros((1, 64, 64), np.uint8)
    image[0, 16:32, 48:64] = 200  # row 1, column 3
    intensity = Intensity()
    row = intensity.fit_transform(image)[0]
    value = dict(zip(intensity.get_feature_names_out(), row, strict=True))
    assert value["intensity/mean/cell07"] == 200
    assert value["intensity/mean/cell06"] == 0
    assert value["intensity/mean"] == 12.5
