"""RSNA Pneumonia Detection Challenge: 26,684 radiographs, read by radiologists (DICOM)."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.layout_files import folder_with, inside, read_columns
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source
from benchmarks.errors import DataError

LABELS, CLASSES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
_STATED = "(as stated by the authors of the data: Shih et al., 2019)"


def table(root: Path) -> pd.DataFrame:
    """Read the class of each image, and patients if the mapping to NIH file names is there.

    ``patientId`` names an image, not a patient: several are radiographs of one NIH patient. Only
    the file of mappings, which the RSNA publishes beside the images, tells whose they are: the
    first part of the NIH file name. View, sex and age are in the DICOM files.

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
        With ``Target`` (1: opacity that suggests pneumonia) besides the columns of a recipe.
    """
    folder = folder_with(root, [LABELS, CLASSES])
    target = read_columns(folder / LABELS, ["patientId", "Target"]).drop_duplicates()
    classes = read_columns(folder / CLASSES, ["patientId", "class"]).drop_duplicates()
    for name, one in ((LABELS, target), (CLASSES, classes)):
        if one["patientId"].duplicated().any():
            twice = one.loc[one["patientId"].duplicated(), "patientId"].iloc[0]
            raise DataError(f"{folder / name}: found two labels of {twice}, but expected one.")
    found = target.merge(classes, "left", "patientId").fillna("")
    result = pd.DataFrame({
        "image": inside(root, folder, "stage_2_train_images/" + found["patientId"] + ".dcm"),
        "label": found["class"],
        "Target": found["Target"],
    })  # fmt: skip
    if (folder / MAPPING).exists():
        entries = json.loads((folder / MAPPING).read_text("utf-8"))
        patient = {one["subset_img_id"]: one["img_id"].partition("_")[0] for one in entries}
        result["patient"] = found["patientId"].map(patient).fillna("")
    return result


RECIPE = Recipe(
    title="RSNA Pneumonia Detection Challenge (2018)",
    obtain="https://www.rsna.org/education/ai-resources-and-training/ai-image-challenge/"
    "rsna-pneumonia-detection-challenge-2018, or the challenge's page on Kaggle",
    layout="stage_2_train_labels.csv and stage_2_detailed_class_info.csv beside "
    "stage_2_train_images/; to know patients also "
    "pneumonia-challenge-dataset-mappings_2018.json (only on the RSNA's page)",
    source=Source(
        licence="RSNA terms of use: academic research, education and other purposes, with "
        "attribution",
        citation="Shih G, Wu CC, Halabi SS, et al. Augmenting the National Institutes of Health "
        "chest radiograph dataset with expert annotations of possible pneumonia. Radiology: "
        "Artificial Intelligence 2019;1(1):e180041. doi:10.1148/ryai.2019180041; Wang X et al. "
        "ChestX-ray8. CVPR 2017. doi:10.1109/CVPR.2017.369",
        limitations=(
            "Lung opacity on the image was annotated, without clinical data: it suggests "
            "pneumonia but does not prove it.",
            "By default, images without lung opacity that are not normal are left out, so the "
            "classes are easier to separate than in practice.",
            "The images are part of NIH ChestX-ray14, so neither set is an external test set for "
            "the other.",
        ),
        facts={
            "setting": f"One centre: the NIH Clinical Center, Bethesda, USA {_STATED}.",
            "acquired": f"Frontal chest radiographs of NIH ChestX-ray14 {_STATED}.",
            "annotators": f"Radiologists annotated lung opacity {_STATED}.",
        },
    ),
    table=table,
    positive=("Lung Opacity",),
    negative=("Normal",),
    notes=(
        "The labels of the challenge name images by a patientId that differs for each image. "
        "Without the file of mappings, several images may be of one patient without notice.",
    ),
    tried="The recipe was tried on the published label table, with a replica of the other files "
    "and generated images.",
)
