"""Predictions in the format that ``medmnist.Evaluator.parse_and_evaluate`` reads."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score

from benchmarks.io.results import Results
from benchmarks.io.tables import to_csv
from benchmarks.paper.references import is_cited

FLAG = "pneumoniamnist"
IMAGES = {"test": 624, "val": 524}
_SPLITS = {"test": "test", "val": "validation"}
_SIDES = {28: "", 64: "_64", 128: "_128", 224: "_224"}


def is_medmnist(results: Results) -> bool:
    """Whether the run's data are PneumoniaMNIST, recognised by their citation.

    Parameters
    ----------
    results : Results

    Returns
    -------
    bool
    """
    return is_cited(results, "yang2023")


def obstacle(results: Results) -> str:
    """Return the reason why no files can be written for PneumoniaMNIST; empty if they can.

    ``Evaluator`` compares row by row with the labels of MedMNIST's file, so every image must be
    present and in order.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
        A clause.
    """
    manifest = results.manifest
    sides = manifest[["width", "height"]].drop_duplicates().to_numpy().tolist()
    if results.run.get("config", {}).get("task") == "subtype":
        return "the run has other classes than MedMNIST's two"
    if results.run.get("config", {}).get("limit"):
        return "the run used a sample of the images (--limit)"
    for part, count in IMAGES.items():
        own = manifest["image"].astype(str).str.startswith(f"{part}/")
        found = set(manifest.loc[own & (manifest["split"] == _SPLITS[part]), "image"])
        if found != {f"{part}/{k:05d}" for k in range(count)}:
            return f"the run does not have exactly the {count} {part} images of MedMNIST's file"
    if len(sides) != 1 or sides[0][0] != sides[0][1] or sides[0][0] not in _SIDES:
        return f"its images are not of a size that MedMNIST publishes ({list(_SIDES)})"
    return ""


def files(results: Results) -> Iterator[tuple[str, str]]:
    """Make a file for each finished cell and each of test and val.

    Parameters
    ----------
    results : Results
        For which :func:`obstacle` is empty.

    Yields
    ------
    name, text : str
        For instance ``pneumoniamnist_224_test_[AUC]0.950_[ACC]0.850@hog-svm-seed0.csv``, as
        ``Evaluator`` names it, and lines of row number and score for pneumonia. The accuracy
        counts scores above 0.5, not at 0.5, as pneumonia.

    References
    ----------
    Yang J et al. MedMNIST v2. Scientific Data 2023;10:41. doi:10.1038/s41597-022-01721-8
    """
    side = _SIDES[int(results.manifest["width"].iloc[0])]
    for cell, own in results.predictions.groupby("cell", sort=False):
        for part in IMAGES:
            rows = own[(own["split"] == _SPLITS[part])]
            rows = rows.sort_values("image", kind="stable")
            if len(rows) == IMAGES[part]:
                yield _name(rows, side, part, str(cell)), _text(rows)


def _name(rows: pd.DataFrame, side: str, part: str, cell: str) -> str:
    label, score = rows["label"].to_numpy(), rows["score"].to_numpy(dtype=float)
    auc, accuracy = roc_auc_score(label, score), accuracy_score(label, score > 0.5)
    run = cell.replace("/", "-")
    return f"{FLAG}{side}_{part}_[AUC]{auc:.3f}_[ACC]{accuracy:.3f}@{run}.csv"


def _text(rows: pd.DataFrame) -> str:
    scores = rows["score"].reset_index(drop=True)
    return to_csv(scores.reset_index(), header=False)
