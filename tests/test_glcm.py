from __future__ import annotations

import numpy as np
import pytest

from features.glcm import PROPERTIES, Glcm, texture_properties


def test_stripes_by_hand() -> None:
    """Columns alternate between levels 0 and 2 of 4: nothing changes along them."""
    stripes = np.tile(np.array([0, 128], np.uint8), (8, 4))
    value = dict(zip(PROPERTIES, texture_properties(stripes, (1,), levels=4)[:, 0], strict=True))
    across, along = 0, 2
    assert value["contrast"][across] == 4
    assert value["contrast"][along] == 0
    assert value["dissimilarity"][across] == 2
    assert value["homogeneity"][across] == pytest.approx(1 / 5)
    assert value["correlation"][across] == pytest.approx(-1)
    assert value["correlation"][along] == pytest.approx(1)
    assert value["ASM"][across] == pytest.approx(0.5)
    assert value["energy"][across] == pytest.approx(np.sqrt(0.5))


def test_entropy_is_in_nats() -> None:
    stripes = np.tile(np.array([0, 128], np.uint8), (8, 4))
    entropy = texture_properties(stripes, (1,), levels=4)[PROPERTIES.index("entropy"), 0]
    assert entropy[0] == pytest.approx(np.log(2))  # two pairs, equally frequent


def test_mean_range_and_cells() -> None:
    stripes = np.tile(np.array([0, 128], np.uint8), (64, 32))[None]
    glcm = Glcm(distances=(1,), cell_distances=(1,), levels=4, grid=2)
    row = glcm.fit_transform(stripes)[0]
    value = dict(zip(glcm.get_feature_names_out(), row, strict=True))
    assert value["glcm/d1/contrast"] == 3  # 4, 4, 0, 4 over the four angles
    assert value["glcm/d1/contrast/range"] == 4
    assert value["glcm/d1/contrast/cell03"] == 3


def test_cells_narrower_than_the_distance_are_refused() -> None:
    with pytest.raises(ValueError, match="cells wider than 16 pixels"):
        Glcm(cell_distances=(16,)).fit_transform(np.zeros((1, 64, 64), np.uint8))
