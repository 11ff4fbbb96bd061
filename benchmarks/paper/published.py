"""Published results on the same radiographs, and whether they are comparable with a run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.io.results import Results
from benchmarks.io.tables import read_csv
from benchmarks.paper.references import is_cited

LEDGER = Path(__file__).parent / "published.csv"
COLUMNS = [
    "source", "address", "year", "method", "test_set", "accuracy", "recall", "specificity",
    "precision", "auc", "comparable", "why", "read",
]  # fmt: skip
METRICS = ["accuracy", "recall", "specificity", "precision", "auc"]
OFFICIAL, MEDMNIST = "official 624", "PneumoniaMNIST 624"
PRIVATE, OTHER = "private split", "other protocol"
SAME = (OFFICIAL, MEDMNIST)  # the same radiographs
TEST_IMAGES, TEST_PNEUMONIAS = 624, 390


def ledger(path: Path = LEDGER) -> pd.DataFrame:
    """Read the table of published results.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DataFrame
        Columns ``COLUMNS``. ``test_set`` is ``official 624`` (Kermany's own test images),
        ``PneumoniaMNIST 624`` (the same radiographs, cropped and resized by MedMNIST) or
        ``private split`` (drawn by the authors from the pooled images) or ``other protocol``
        (cross-validation, other images, or a split that is not told); metrics are fractions,
        NaN if not published; ``comparable`` is yes, partly or no, with a reason in ``why``;
        ``read`` is the source read: ``primary`` (the paper), ``abstract`` or ``secondhand``.
    """
    return read_csv(path, set(COLUMNS) - {*METRICS, "year"})[COLUMNS]


def which_test_set(results: Results) -> str:
    """Return the published test set that a run was scored on; empty if none.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
        Decided by the run's task, the citation of its data, which only recognised data have, and
        624 test images of which 390 show pneumonia.
    """
    if results.run.get("config", {}).get("task") == "subtype":
        return ""
    manifest = results.manifest
    test = manifest[manifest["split"] == "test"]
    counts = (len(test), int(test["label"].sum()))
    if counts != (TEST_IMAGES, TEST_PNEUMONIAS) or not is_cited(results, "kermany2018"):
        return ""
    return MEDMNIST if is_cited(results, "yang2023") else OFFICIAL
