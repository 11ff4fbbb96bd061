from __future__ import annotations

import pandas as pd

from benchmarks.io import provenance


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {"image": ["a", "b"], "sha256": ["0", "1"], "label": [0, 1], "group": ["p", "q"],
         "split": ["train", "test"], "width": [10, 10]}
    )  # fmt: skip


def test_fingerprint_depends_on_what_affects_the_numbers() -> None:
    original = provenance.fingerprint(table())
    assert original == provenance.fingerprint(table().assign(width=99))
    for column, value in (("sha256", "2"), ("label", 1), ("group", "r"), ("split", "train")):
        assert provenance.fingerprint(table().assign(**{column: value})) != original


def test_versions_and_machine_are_known() -> None:
    versions = provenance.versions()
    assert versions["scikit-learn"].count(".") == 2
    machine = provenance.machine()
    assert machine["cores"] >= 1
    assert machine["memory_gib"] > 0.1
    assert machine["processor"]
