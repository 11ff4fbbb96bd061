"""The check of unusual pictures counts what it planted; the sentences on its table are true."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from benchmarks.checks import pictures
from benchmarks.datasets.phantoms import generate

TABLE = Path(__file__).parent.parent.parent / "docs" / "checks" / "pictures.csv"


@pytest.mark.slow
def test_counts_of_planted_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "KINDS", ("inverted",))
    table = pictures.tabulate("phantoms", generate(n_images=120, size=32)).set_index("kind")
    assert table.loc["none", ["n", "listed", "named"]].tolist() == [0, 0, 0]
    assert table.loc["inverted", ["n", "listed", "named", "recall"]].tolist() == [6, 6, 6, 1]


def test_sentences_on_the_table_are_true() -> None:
    table = pd.read_csv(TABLE)
    assert table.columns.tolist() == pictures.COLUMNS
    recall = table.set_index(["data", "kind"])["recall"]
    for data in ("phantoms", "radiographs"):
        assert (recall[data][["inverted", "turned by 90°", "page of text", "blank"]] == 1).all()
    found = recall["radiographs"].round(2)
    assert found["turned by 180°"] == 0.99
    assert found[["drawn lateral view", pictures.ALONE]].tolist() == [0.21, 0.27]
    assert found["photograph"] == 0.95
    assert recall["phantoms"][pictures.ALONE] == 1
    assert round(recall["phantoms"]["drawn lateral view"], 2) == 0.13
    none = table[table["kind"] == "none"].set_index("data")["false"]
    assert none.to_dict() == {"phantoms": 0, "radiographs": 7}
