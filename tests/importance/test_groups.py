"""Groups of columns and maps of regions, read from the names."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.importance.groups import LEVELS, boxes_of, columns_of, group_columns
from benchmarks.importance.importance_map import importance_map
from features import FEATURES, Glcm, Hog
from features.base import ImageDescriptor
from features.embedding import FrozenEmbedding

HANDCRAFTED = ("hog", "lbp", "ltp", "glcm", "gabor", "intensity", "scattering")


def fitted(*families: str, side: int = 64) -> dict[str, ImageDescriptor]:
    images = np.zeros((1, side, side), dtype=np.uint8)
    return {family: FEATURES[family]().fit(images) for family in families}


def test_every_column_is_in_one_group_of_each_kind() -> None:
    columns = columns_of(fitted(*HANDCRAFTED))
    for level in ("family", "subfamily", "feature"):
        groups = group_columns(columns, level)
        placed = np.concatenate(list(groups.values()))
        assert sorted(placed.tolist()) == list(range(len(columns)))
    assert list(group_columns(columns, "family")) == list(HANDCRAFTED)
    assert len(group_columns(columns, "feature")) == len(columns)


def test_subfamilies_have_the_names_used_in_papers() -> None:
    parts = set(group_columns(columns_of(fitted(*HANDCRAFTED)), "subfamily"))
    for name in ("hog/bin8", "lbp/r3", "ltp/r4", "glcm/contrast", "gabor/w08", "intensity/p50",
                 "scattering/s1-s3"):  # fmt: skip
        assert name in parts
    assert len(parts) == 9 + 3 + 3 + 7 + 3 + 10 + 11


def test_whole_image_columns_have_no_region() -> None:
    columns = columns_of({"glcm": Glcm().fit(np.zeros((1, 64, 64), np.uint8))})
    whole = columns[columns["region"] == ""]
    assert set(whole["feature"]) >= {"glcm/d2/contrast", "glcm/d2/contrast/range"}
    regions = group_columns(columns, "region")
    assert len(regions) == 16
    assert sum(map(len, regions.values())) + len(whole) == len(columns)


def test_regions_cover_the_image_once() -> None:
    columns = columns_of(fitted(*HANDCRAFTED))
    boxes = boxes_of(columns)
    for family in HANDCRAFTED:
        own = boxes[boxes["family"] == family]
        sizes = (own["bottom"] - own["top"]) * (own["right"] - own["left"])
        one = importance_map(dict(zip(own.index, sizes, strict=True)), boxes, (64, 64))
        np.testing.assert_allclose(one, 1.0)


def test_hog_columns_of_a_region_are_of_its_blocks() -> None:
    columns = columns_of({"hog": Hog().fit(np.zeros((1, 64, 64), np.uint8))})
    groups = group_columns(columns, "region")
    # the corner is in one block, its neighbour in two, the inside in four; nine bins each
    assert [len(groups[f"hog/row0{r}/col0{c}"]) for r, c in ((0, 0), (0, 1), (1, 1))] == [9, 18, 36]


@pytest.mark.parametrize("level", LEVELS)
def test_embedding_columns_have_no_region(level: str) -> None:
    class Fake(FrozenEmbedding):
        def feature_names(self, height: int, width: int) -> list[str]:
            return [f"embedding/mobilenetv2_100/{k:04d}" for k in range(250)]

    fake = Fake()
    fake.image_shape_ = (32, 32)
    columns = columns_of({"embedding": fake})
    found = list(group_columns(columns, level))
    assert (
        found
        == {
            "family": ["embedding"],
            "subfamily": [f"embedding/mobilenetv2_100/{k:02d}xx" for k in range(3)],
            "region": [],
        }[level]
    )
