"""Which families and which columns a feature set has."""

from __future__ import annotations

import pytest

from benchmarks.config import RunConfig, load_config
from benchmarks.fitting.cell import Cell, families_of, plan


@pytest.mark.parametrize(
    ("features", "families"),
    [
        ("lbp+hog", ("lbp", "hog")),  # in the order of the name
        ("hog+lbp", ("hog", "lbp")),
        ("texture+ltp", ("glcm", "gabor", "intensity", "ltp")),
        ("gabor+texture+hog", ("gabor", "glcm", "intensity", "hog")),  # each family once
        ("hybrid+handcrafted", families_of("hybrid")),
        ("net+hog", ("net", "hog")),  # net is a table
        ("pixels", ()),
    ],
)
def test_a_joined_set_has_each_family_once(features: str, families: tuple[str, ...]) -> None:
    assert families_of(features) == families
    assert Cell(features, "svm", "none", 0).families == families


def test_a_set_joined_with_a_table_has_no_copies_of_images() -> None:
    assert Cell("hog+net", "svm", "none", 0).given
    assert not Cell("hog+lbp", "svm", "none", 0).given


def test_a_joined_set_changes_no_seed_of_another_cell() -> None:
    several, alone = (
        plan(load_config({"features": features, "models": "svm"}))
        for features in ("hog,lbp + ltp", "hog")
    )
    assert [cell.name for cell in several] == ["hog/svm/seed0", "lbp+ltp/svm/seed0"]
    assert several[0] == alone[0]


def test_a_table_may_be_named_in_a_joined_set_only() -> None:
    options = {"features": "hog,net+hog", "features_from": "net=net.npz", "models": "svm"}
    joined = RunConfig.model_validate(options)
    assert joined.features == ("hog", "net+hog")
