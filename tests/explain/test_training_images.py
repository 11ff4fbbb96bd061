"""The nearest training images."""

from __future__ import annotations

import numpy as np
from sklearn.preprocessing import StandardScaler

from benchmarks.explain.training_images import nearest, squared_distances, standardised


def test_distances_are_those_of_standardised_columns() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(700, 5)) * [1, 100, 1e-3, 1, 1] + 50).astype(np.float32)
    rows[:, 3] = 50
    row = rows[0] + np.float32(0.5)
    z, scale = standardised(rows, row)
    scaler = StandardScaler().fit(rows[:, [0, 1, 2, 4]].astype(np.float64))
    np.testing.assert_allclose(
        z[[0, 1, 2, 4]], scaler.transform(row[None, [0, 1, 2, 4]].astype(np.float64))[0], rtol=1e-6
    )
    assert z[3] == 0
    there = scaler.transform(rows[:, [0, 1, 2, 4]])
    expected = ((there - z[[0, 1, 2, 4]]) ** 2).sum(axis=1)
    np.testing.assert_allclose(squared_distances(rows, row, scale), expected, rtol=1e-5)


def test_the_nearest_come_first_and_the_image_itself_is_excluded() -> None:
    squared = np.array([4.0, 0.0, 9.0, 1.0, 1.0])
    itself = np.array([False, True, False, False, False])
    assert nearest(squared, 3, itself).tolist() == [3, 4, 0]
    assert nearest(squared, 9, itself).tolist() == [3, 4, 0, 2]
