"""Criteria for choosing a pipeline without the test images."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from benchmarks.checks.selection_criteria import (
    COLUMNS,
    CRITERIA,
    blocks,
    compare_criteria,
    rank_rows,
    recommend,
    shifted,
)
from benchmarks.config import RunConfig
from tests.helpers import textured


def values(aucs: dict[tuple[str, int, int], float], test: float = 0.5) -> pd.DataFrame:
    rows = [
        {"features": features, "model": "svm", "preprocess": key[0], "augment": key[1],
         "views": key[2], "criterion": criterion,
         "auc": test if criterion == "test" else auc + offset}
        for key, auc in aucs.items() for criterion in CRITERIA
        for features, offset in (("hog", 0.0), ("lbp", 0.01))
    ]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def test_the_recommendation_is_the_highest_and_of_equal_ones_the_simplest() -> None:
    aucs = {("", 0, 1): 0.90, ("registration", 0, 1): 0.93, ("registration", 3, 1): 0.951,
            ("registration", 3, 2): 0.952}  # fmt: skip
    first = recommend(values(aucs)).iloc[0]
    assert (first["preprocess"], first["augment"], first["views"]) == ("registration", 3, 1)
    aucs["registration", 3, 2] = 0.96
    assert recommend(values(aucs)).iloc[0]["views"] == 2


def test_test_images_change_no_recommendation() -> None:
    aucs = {("", 0, 1): 0.90, ("registration", 0, 1): 0.93}
    pd.testing.assert_frame_equal(recommend(values(aucs, 0.5)), recommend(values(aucs, 0.99)))
    assert "test" not in recommend(values(aucs)).columns


def test_blocks_keep_patients_together_and_neighbours_side_by_side() -> None:
    rng = np.random.default_rng(0)
    number = rng.integers(1, 60, 300)
    table = pd.DataFrame({
        "group": [f"{'a' if n % 2 else 'b'}/{n}" for n in number], "label": number % 3 == 0,
    })  # fmt: skip
    block = blocks(table, 4)
    assert set(block) == {1, 2, 3, 4}
    for (_, label), own in table.assign(block=block).groupby(["group", "label"]):
        assert own["block"].nunique() == 1, label
    for (_, series), own in table.assign(
        block=block, series=table["group"].str[0], number=number
    ).groupby(["label", "series"]):
        assert own.sort_values("number")["block"].is_monotonic_increasing, series
    sizes = pd.Series(block)[table["label"].to_numpy()].value_counts()
    assert sizes.min() > 0.5 * sizes.max()


def test_changed_images_depend_on_their_own_pixels() -> None:
    images = textured(5)[0]
    whole = shifted(images)
    assert (whole != images).any(axis=(1, 2)).all()
    np.testing.assert_array_equal(shifted(images[[3, 1]]), whole[[3, 1]])
    assert shifted(images[:, :31, :31]).shape == (5, 31, 31)  # not a multiple of 8 bytes


def test_ranks_are_spearmans() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    table = pd.DataFrame({"features": ["hog"] * 6, "model": ["svm"] * 6})
    draws = {name: rng.random((6, 30)) for name in CRITERIA}
    for row in rank_rows(table, draws):
        expected = spearmanr(draws[row["criterion"]][:, 0], draws["test"][:, 0]).statistic
        assert row["rho"] == pytest.approx(expected)
        assert row["rho_lo"] <= row["rho_hi"]


@pytest.mark.slow
def test_every_pipeline_gets_a_value_by_every_criterion() -> None:
    config = RunConfig(
        data="phantoms", limit=200, features="intensity,lbp", models="logistic", image_size=48,
        augment=1, views=2, jobs=1, use_cache=False, quiet=True,
    )  # fmt: skip
    found, ranks = compare_criteria(config, [(), ("clahe",)], wanted=["intensity/logistic"])
    keys = found[["preprocess", "augment", "views", "criterion"]].itertuples(index=False, name=None)
    assert set(keys) == set(product(["", "clahe"], [0, 1], [1, 2], CRITERIA))
    assert set(found["features"]) == {"intensity"}
    assert found["auc"].between(0, 1).all()
    assert found["auc"].nunique() > len(found) / 2
    assert (ranks["rho_lo"] <= ranks["rho_hi"]).all()
