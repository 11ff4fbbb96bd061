"""VinDr-CXR: 18,000 radiographs of two hospitals in Hanoi, labelled by radiologists (DICOM)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.layout_files import folder_with, inside, joined, read_columns
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source

SPLITS = ("train", "test")
_STATED = "(as stated by the authors of the data: Nguyen et al., 2022)"


def table(root: Path) -> pd.DataFrame:
    """Read the image labels of train and test.

    Three radiologists labelled each training image: it has the labels that most of them gave. The
    test labels are one row per image. Patients are not published.

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
        With one column per label (0 or 1) besides the columns of a recipe.
    """
    folder = folder_with(root, ["annotations", *SPLITS])
    parts = []
    for split in SPLITS:
        path = folder / "annotations" / f"image_labels_{split}.csv"
        found = read_columns(path).rename(columns={"Other disease": "Other diseases"})
        names = [name for name in found.columns if name not in ("image_id", "rad_id")]
        votes = found[names].apply(pd.to_numeric, errors="coerce").fillna(0)
        share = votes.groupby(found["image_id"]).mean()
        majority = (share > 0.5).astype(int).astype(str).reset_index()
        parts.append(pd.DataFrame({
            "image": inside(root, folder, f"{split}/" + majority["image_id"] + ".dicom"),
            "label": joined(majority, names),
            "split": split,
            **{name: majority[name] for name in names},
        }))  # fmt: skip
    return pd.concat(parts, ignore_index=True).fillna("0")


RECIPE = Recipe(
    title="VinDr-CXR",
    obtain="https://physionet.org/content/vindr-cxr/ (credentialed access)",
    layout="annotations/image_labels_train.csv and annotations/image_labels_test.csv beside "
    "train/ and test/ with DICOM files",
    source=Source(
        licence="PhysioNet Credentialed Health Data License",
        citation="Nguyen HQ, Lam K, Le LT, et al. VinDr-CXR: an open dataset of chest X-rays with "
        "radiologist's annotations. Scientific Data 2022;9:429. doi:10.1038/s41597-022-01498-w; "
        "Nguyen HQ et al. VinDr-CXR (version 1.0.0). PhysioNet 2021. doi:10.13026/3akn-b287",
        limitations=(
            "The labels are what radiologists saw on the image, not a clinical diagnosis.",
            "By default, images with other findings are left out, so the classes are easier to "
            "separate than in practice.",
        ),
        facts={
            "setting": "Two centres: Hospital 108 and Hanoi Medical University Hospital, Vietnam "
            f"{_STATED}.",
            "acquired": f"Chest radiographs, posterior-anterior, in DICOM format {_STATED}.",
            "annotators": f"Three radiologists labelled each training image {_STATED}; the label "
            "that most of them gave is used.",
            "test_annotators": f"Consensus of five radiologists {_STATED}.",
        },
    ),
    table=table,
    positive=("Pneumonia",),
    negative=("No finding",),
    notes=(
        "A training image has the labels that more than half of its readers gave. Images for "
        "which no label has a majority are left out.",
    ),
)
