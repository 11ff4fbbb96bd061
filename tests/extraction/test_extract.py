from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.config import RunConfig
from benchmarks.extraction import extract as module
from benchmarks.extraction.extract import extract
from benchmarks.extraction.prepare import Preparation, reading_size
from benchmarks.io.image_stack import ImageStack
from features import all_feature_sets
from features.backbone import WeightsUnavailable
from tests.helpers import textured


def test_crop_has_the_image_size_without_enlarging() -> None:
    config = RunConfig(image_size=64, crop=0.8, contrast=False)
    assert reading_size(config) == 80
    images = textured(2, 80)[0]
    np.testing.assert_array_equal(Preparation(64, False, {})(images), images[:, 8:72, 8:72])


def test_contrast_is_stretched_after_cropping() -> None:
    images = np.full((1, 80, 80), 255, np.uint8)
    images[:, 8:72, 8:72] = textured(1, 64)[0] // 4 + 20
    prepared = Preparation(64, True, {})(images)
    assert prepared.min() == 0
    assert prepared.max() == 255
    assert 100 < prepared.mean() < 155


def test_only_required_families_are_computed(tmp_path: Path) -> None:
    config = RunConfig(image_size=64, jobs=1, quiet=True)
    images = ImageStack.of(textured(3)[0])
    result = extract(images, config, all_feature_sets()["texture"], tmp_path)
    assert list(result.matrices) == ["glcm", "gabor", "intensity"]
    table = result.table.set_index("family")
    assert table.loc["intensity", "dimension"] == 170
    assert (table["milliseconds_per_image"] > 0).all()
    assert result.settings["glcm"]["distances"] == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (WeightsUnavailable("None here.", "Give some."), "not_run"),
        (ValueError("odd"), "failed"),
        (AssertionError("odd"), "failed"),
    ],
)
def test_a_family_that_cannot_be_computed_is_a_row(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, status: str
) -> None:
    def broken(**_: object) -> None:
        raise error

    monkeypatch.setitem(module.FEATURES, "hog", broken)
    config = RunConfig(image_size=64, jobs=1, quiet=True)
    result = extract(ImageStack.of(textured(3)[0]), config, ("hog", "intensity"), tmp_path)
    assert list(result.matrices) == ["intensity"]
    assert result.reasons["hog"][0] == status
    assert str(error) in result.reasons["hog"][1]
    assert result.table.set_index("family").loc["hog", "status"] == status
