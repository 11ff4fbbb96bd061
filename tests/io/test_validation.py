"""What is read from a run folder has the types that other code relies on, or is refused."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.io.columns import TABLE_COLUMNS
from benchmarks.io.results import RunError, read_run
from benchmarks.io.tables import write_csv
from benchmarks.io.validation import check_record, read_table

MANIFEST = pd.DataFrame({
    "image": ["a\nb.png", "c.png"], "label": [0, 1], "class": ["NORMAL", "PNEUMONIA"],
    "subtype": "", "group": ["p1", "p2"], "split": ["train", "test"], "sha256": "ab",
    "width": 64, "height": 64, "frames": 1, "bytes": 9,
}).astype({"label": object, "width": object, "bytes": object})  # fmt: skip


def test_a_good_table_is_read(tmp_path: Path) -> None:
    write_csv(tmp_path / "manifest.csv", MANIFEST)
    read = read_table(tmp_path, "manifest")
    assert read["label"].dtype == "int64"
    assert read["image"].tolist() == ["a\nb.png", "c.png"]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label", "one", "line 4, column label: got 'one', but expected a whole number from 0 to"),
        ("label", -1, "line 4, column label: got '-1', but expected a whole number from 0"),
        ("label", None, "line 4, column label: got '', but expected a whole number"),
        ("width", "nan", "line 4, column width: got 'nan', but expected a whole number"),
        ("bytes", "inf", "line 4, column bytes: got 'inf', but expected a number"),
        ("split", "testing", "column split: got 'testing', but expected train or validation or"),
        ("split", "", "column split: got '', but expected train"),
        ("image", "a\nb.png", r"column image: got 'a\\nb.png', but expected each image once"),
    ],
)
def test_a_wrong_value_is_named_by_file_line_and_column(
    tmp_path: Path, column: str, value: object, message: str
) -> None:
    table = MANIFEST.copy()
    table.loc[1, column] = value
    write_csv(tmp_path / "manifest.csv", table)
    with pytest.raises(RunError, match=message) as caught:
        read_table(tmp_path, "manifest")
    assert f"{tmp_path / 'manifest.csv'}, line" in str(caught.value)


@pytest.mark.parametrize("name", TABLE_COLUMNS)
def test_every_table_without_rows_or_columns_is_read_or_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"{name}.csv"
    write_csv(path, pd.DataFrame(columns=TABLE_COLUMNS[name]))
    if name == "manifest":
        with pytest.raises(RunError, match=r"manifest\.csv: got no rows"):
            read_table(tmp_path, name)
    else:
        assert read_table(tmp_path, name).empty
    for text in ("", "a,b\n1,2\n", '"', "\0", "\udcff"):
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        with pytest.raises(RunError, match=f"{name}.csv"):
            read_table(tmp_path, name)


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ({"cells": -1}, "cells"),
        ({"cells": {"hog/svm/seed0": None}}, "cells.hog/svm/seed0"),
        ({"cells": {"hog/svm/seed0": {"warnings": "text"}}}, "cells.hog/svm/seed0.warnings"),
        ({"config": []}, "config"),
        ({"config": {"image_size": "224"}}, "config.image_size"),
        ({"config": {"task": "lungs"}}, "config.task"),
        ({"data": {"left_out": [1]}}, "data.left_out.0"),
        ({"data": {"synthetic": "yes"}}, "data.synthetic"),
        ({"times": {"stages": {"data": "1 s"}}}, "times.stages.data"),
        ({"models": {"svm": 1}}, "models.svm"),
        ({"features": 0}, "features"),
        ({"versions": None}, "versions"),
        ({"protocol": {"bootstrap_draws": "many"}}, "protocol.bootstrap_draws"),
        ({"warnings": {}}, "warnings"),
    ],
)
def test_a_wrong_type_in_the_record_is_named(
    tmp_path: Path, record: dict[str, Any], key: str
) -> None:
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=rf"run\.json: {key}.*: got .*, but expected"):
        read_run(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a":' * 100_000, "[" * 500 + "]" * 500, "", "[]", "NaN", '{"a": Infinity}',
     "9" * 5000, '{"config": ' + "[" * 50 + "]" * 50 + "}", "\udcff"],
    ids=range(10),
)  # fmt: skip
def test_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(RunError, match=r"run\.json: .*expected the record of a run"):
        read_run(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["cells", "config", "data", "notes", "times", "stages", "x"]), inner,
        max_size=3),
    max_leaves=10,
)  # fmt: skip


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["cells", "config", "data", "times", "models"]), JSON))
def test_any_record_is_read_unchanged_or_refused(record: dict[str, Any]) -> None:
    with suppress(RunError):
        assert check_record(Path("run.json"), json.dumps(record).encode()) == record
