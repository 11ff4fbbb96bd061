"""NIH ChestX-ray14: 112,120 frontal radiographs of 30,805 patients, findings from reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.layout_files import folder_with, is_there, read_columns
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source
from benchmarks.errors import DataError

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}
_SEX = ("Patient Gender", "Patient Sex")  # the name differs between copies of the table
_STATED = "(as stated by the authors of the data: Wang et al., 2017)"


def table(root: Path) -> pd.DataFrame:
    """Read the label table and, if both lie beside it, the lists of the official split.

    The images may lie in ``images/`` or in ``images_001/images/`` and so on: the table names
    files, not folders. Patients are those of the table. ``view`` is PA or AP, ``age`` in years.

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
    """
    places = [root, *(root.iterdir() if root.is_dir() else ())]
    name = next((n for n in TABLES if any(is_there(p / n) for p in places)), TABLES[0])
    folder = folder_with(root, [name])
    found = read_columns(folder / name)
    sex = next((column for column in _SEX if column in found), _SEX[0])
    names = {
        "Image Index": "image", "Finding Labels": "label", "Patient ID": "patient",
        "View Position": "view", sex: "sex", "Patient Age": "age",
    }  # fmt: skip
    if missing := [column for column in names if column not in found]:
        raise DataError(f"{folder / name}: found no column {missing[0]!r}, but expected it.")
    result = found[list(names)].rename(columns=names)
    lists = [(folder / name, split) for name, split in LISTS.items()]
    if all(path.exists() for path, _ in lists):
        split = {image: s for path, s in lists for image in path.read_text("utf-8").split()}
        result["split"] = result["image"].map(split).fillna("")
    return result


RECIPE = Recipe(
    title="NIH ChestX-ray14",
    obtain="https://nihcc.app.box.com/v/ChestXray-NIHCC",
    layout="Data_Entry_2017_v2020.csv, the images in any sub-folders, and for the official split "
    "train_val_list.txt and test_list.txt",
    source=Source(
        licence="Free to use; the NIH Clinical Center asks to be acknowledged with a link to the "
        "download site and a citation",
        citation="Wang X, Peng Y, Lu L, Lu Z, Bagheri M, Summers RM. ChestX-ray8: hospital-scale "
        "chest X-ray database and benchmarks on weakly-supervised classification and localization "
        "of common thorax diseases. CVPR 2017. doi:10.1109/CVPR.2017.369",
        limitations=(
            "The labels were mined from radiology reports by a program, so some are wrong; no "
            "physician labelled the images for the data set.",
            "The radiographs come from one research hospital. Many patients have several images.",
        ),
        facts={
            "setting": f"One centre: the NIH Clinical Center, Bethesda, USA {_STATED}.",
            "acquired": f"Frontal chest radiographs {_STATED}.",
            "annotators": f"Labels were mined from radiology reports by a program {_STATED}.",
            "test_annotators": f"As for the other images: mined from reports {_STATED}.",
        },
    ),
    table=table,
    positive=("Pneumonia",),
    negative=("No Finding",),
    tried="The recipe was tried on the published label table, with generated images.",
)
