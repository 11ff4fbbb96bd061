"""Sentences about feature importance: useful, harmful, or not shown to differ from 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.results import Results
from benchmarks.report.importance_data import described, judged, mean_radiograph
from benchmarks.report.sections.importance import _caution, _families_text, _refits_text

Value = tuple[float, float, float]
CELL = "texture/svm/seed0"


def importance(**families: Value) -> pd.DataFrame:
    """Make rows of the importance of families, by permutation and by refits without them."""
    lines = [
        {
            "cell": CELL, "method": method, "level": "family", "group": group, "split": "test",
            "metric": "auc", "value": value, "lo": low, "hi": high, "rank": 1, "status": "ok",
            "reason": "",
        }
        for method in ("permutation", "family_left_out", "family_alone")
        for group, (value, low, high) in families.items()
    ]  # fmt: skip
    return pd.DataFrame(lines, columns=MORE_TABLES["importance"])


def test_intervals_on_both_sides_of_0_are_told_apart() -> None:
    table = importance(
        glcm=(0.05, 0.03, 0.07), gabor=(-0.02, -0.03, -0.01), intensity=(0.01, -0.01, 0.03)
    )
    text = _families_text(table)
    assert "the largest decrease is that of glcm, 0.050 (0.030–0.070)" in text
    assert "increases the AUC (decrease below 0): gabor, −0.020 (−0.030 to −0.010)" in text
    assert "not shown to differ from 0: intensity" in text
    assert "the 3 intervals looked at" in text
    refits = _refits_text(table)
    assert "leaving out glcm lowers the AUC; leaving out gabor raises it" in refits
    assert "the 3 intervals looked at" in refits


def test_no_largest_decrease_where_its_interval_includes_0() -> None:
    table = importance(glcm=(0.05, -0.01, 0.11), gabor=(0.01, -0.02, 0.04))
    text = _families_text(table)
    assert "largest decrease" not in text
    assert "no decrease of the AUC is shown; not shown to differ from 0: glcm and gabor" in text
    assert "is not shown to lower the AUC" in _refits_text(table)


def test_verdicts_are_corrected_for_the_number_of_intervals() -> None:
    one = pd.DataFrame({"value": [0.01], "lo": [0.0005], "hi": [0.02]})
    assert judged(one)["verdict"].tolist() == ["useful"]
    many = pd.concat([one] * 50, ignore_index=True)
    assert set(judged(many)["verdict"]) == {"open"}
    unknown = one.assign(lo=float("nan"))
    assert judged(unknown)["verdict"].tolist() == ["open"]


def test_importance_of_the_image_itself_is_told_from_scores_of_several_views() -> None:
    empty = pd.DataFrame()
    tables = {"importance_checks": empty}

    def caution(config: dict[str, int]) -> str:
        run = {"config": config}
        results = Results(Path(), run, empty, empty, empty, empty, empty, empty, tables)
        return "".join(_caution(results))

    assert "means over 3 views" in caution({"views": 3})
    assert "views" not in caution({"views": 1}) + caution({})


@pytest.mark.parametrize(
    ("config", "grey", "part"),
    [({"crop": 0.8}, 10, 0.8), ({"crop": 0.8, "preprocess": ["registration"]}, 90, 1.0),
     ({"fix_polarity": True}, 90, 1.0)],
)  # fmt: skip
def test_maps_lie_on_the_images_that_the_models_receive(
    tmp_path: Path, config: dict[str, object], grey: int, part: float
) -> None:
    (tmp_path / "images").mkdir()
    for name, value in (("mean_NORMAL", 10), ("prepared_mean_NORMAL", 90)):
        image = Image.fromarray(np.full((8, 8), value, np.uint8))
        image.save(tmp_path / "images" / f"{name}.png")
    empty = pd.DataFrame()
    results = Results(tmp_path, {"config": config}, *[empty] * 6, {})
    mean = mean_radiograph(results, "NORMAL")
    assert mean is not None
    assert np.unique(mean) == [grey]
    assert described(results) == part
