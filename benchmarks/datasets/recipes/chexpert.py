"""CheXpert: 224,316 radiographs of 65,240 patients of Stanford Hospital, findings from reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.layout_files import (
    folder_with,
    inside,
    is_there,
    joined,
    read_columns,
)
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source

FINDINGS = (
    "No Finding", "Enlarged Cardiomediastinum", "Cardiomegaly", "Lung Opacity", "Lung Lesion",
    "Edema", "Consolidation", "Pneumonia", "Atelectasis", "Pneumothorax", "Pleural Effusion",
    "Pleural Other", "Fracture", "Support Devices",
)  # fmt: skip
TABLES = {"train.csv": "train", "valid.csv": "validation", "test.csv": "test"}
_LEFT_OUT = (
    "An image has a finding if its report states it (1). By default, images whose report mentions "
    "pneumonia as uncertain (−1), denies it, or does not mention it are left out unless No Finding "
    "is stated. --label with the name of one of the 14 findings uses 1 against 0 instead, and "
    "--uncertain then says what becomes of −1 and blank."
)
_STATED = "(as stated by the authors of the data: Irvin et al., 2019)"


def table(root: Path) -> pd.DataFrame:
    """Read ``train.csv``, ``valid.csv`` and, if it is there, ``test.csv``.

    The test set was published later, with paths and findings only. Patients are those of the
    paths. ``view`` is PA, AP, or for lateral ones L; where the table has no view, the file name
    tells frontal from lateral. Support Devices are no disease: they are not part of the label, so
    that images with No Finding and devices stay negative. ``age`` is in years, at most 90; 0
    means unknown.

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
        With the 14 findings besides the columns of a recipe.
    """
    folder = folder_with(root, ["train.csv", "valid.csv"])
    parts = [
        read_columns(folder / name).assign(split=split)
        for name, split in TABLES.items() if is_there(folder / name)
    ]  # fmt: skip
    found = pd.concat(parts, ignore_index=True).fillna("")
    path = found["Path"].str.replace("\\", "/", regex=False)
    within = path.str.extract(r"((?:train|valid|test)/.+)$")[0].fillna(path)
    frontal = found["AP/PA"].mask(found["AP/PA"] == "", "frontal")
    lateral = path.str.contains("lateral", case=False) | (found["Frontal/Lateral"] == "Lateral")
    return pd.DataFrame({
        "image": inside(root, folder, within),
        "label": joined(found, FINDINGS[:-1]),
        "patient": path.str.extract(r"(patient\d+)")[0].fillna(""),
        "split": found["split"],
        "view": frontal.mask(lateral, "L"),
        "sex": found["Sex"].replace({"Unknown": ""}),
        "age": found["Age"].mask(pd.to_numeric(found["Age"], errors="coerce") == 0, ""),
        **{name: found[name] for name in FINDINGS},
    })  # fmt: skip


RECIPE = Recipe(
    title="CheXpert",
    obtain="https://stanfordmlgroup.github.io/competitions/chexpert/",
    layout="train.csv and valid.csv beside train/ and valid/ (CheXpert-v1.0 or its small copy); "
    "test.csv and test/ are used if they are there",
    source=Source(
        licence="Stanford University Dataset Research Use Agreement",
        citation="Irvin J, Rajpurkar P, Ko M, et al. CheXpert: a large chest radiograph dataset "
        "with uncertainty labels and expert comparison. AAAI 2019;33:590-597. "
        "doi:10.1609/aaai.v33i01.3301590",
        limitations=(
            "The training labels were read from radiology reports by a program, so some are wrong.",
            "The radiographs come from one hospital. Images without a stated finding are left out "
            "by default, so the classes are easier to separate than in practice.",
        ),
        facts={
            "setting": f"One centre: Stanford Hospital, USA {_STATED}.",
            "acquired": f"Frontal and lateral chest radiographs {_STATED}.",
            "annotators": "Training: a program that labels radiology reports. Validation: three "
            f"board-certified radiologists {_STATED}.",
            "test_annotators": "The published test set: consensus of five board-certified "
            f"radiologists {_STATED}. A test set drawn from the training set has labels from "
            "reports.",
        },
    ),
    table=table,
    positive=("Pneumonia",),
    negative=("No Finding",),
    frontal=("PA", "AP", "frontal"),
    notes=(_LEFT_OUT,),
    tried="The recipe was tried on the published label table of the training set, with generated "
    "images, and otherwise on a replica.",
)
