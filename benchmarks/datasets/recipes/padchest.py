"""PadChest: 160,861 radiographs (16 bits) of 67,625 patients of Hospital San Juan, Spain."""

from __future__ import annotations

import ast
from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.layout_files import NONE_STATED, folder_with, read_columns
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"
NORMAL = "normal"
_COLUMNS = (
    "ImageID", "StudyDate_DICOM", "PatientID", "PatientBirth", "PatientSex_DICOM", "Projection",
    "Pediatric", "MethodLabel", "Labels",
)  # fmt: skip
_STATED = "(as stated by the authors of the data: Bustos et al., 2020)"


def table(root: Path) -> pd.DataFrame:
    """Read the label table.

    The images may lie in the folders 0 to 54 or in one folder: the table's ``ImageID`` names
    files. ``view`` is ``Projection`` (PA, AP, AP_horizontal, L, COSTAL, …), ``age`` the year of
    the study less the year of birth. A label ``normal`` beside others does not count.

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
        With ``Pediatric`` and ``MethodLabel`` (Physician or RNN_model) besides the columns of a
        recipe.
    """
    found = read_columns(folder_with(root, [TABLE]) / TABLE, _COLUMNS)
    findings = {text: _findings(text) for text in found["Labels"].unique()}
    year = pd.to_numeric(found["StudyDate_DICOM"].str[:4], errors="coerce")
    age = year - pd.to_numeric(found["PatientBirth"], errors="coerce")
    return pd.DataFrame({
        "image": found["ImageID"],
        "label": found["Labels"].map(findings),
        "patient": found["PatientID"],
        "view": found["Projection"],
        "sex": found["PatientSex_DICOM"].replace({"O": "", "nan": ""}),
        "age": age.map("{:.0f}".format).where(age.notna(), ""),
        "Pediatric": found["Pediatric"],
        "MethodLabel": found["MethodLabel"],
    })  # fmt: skip


def _findings(text: str) -> str:
    """Turn a list such as ``['a', ' b']`` into ``a|b``."""
    try:
        names = [str(name).strip() for name in ast.literal_eval(text)]
    except (SyntaxError, ValueError, TypeError):  # blank or nan
        return NONE_STATED
    names = [name for name in dict.fromkeys(names) if name]
    others = [name for name in names if name != NORMAL]
    return "|".join(others or names) or NONE_STATED


RECIPE = Recipe(
    title="PadChest",
    obtain="https://bimcv.cipf.es/bimcv-projects/padchest/",
    layout=f"{TABLE} and the PNG files (16 bits) in any sub-folders",
    source=Source(
        licence="PADCHEST Dataset Research Use Agreement",
        citation="Bustos A, Pertusa A, Salinas JM, de la Iglesia-Vayá M. PadChest: a large chest "
        "x-ray image dataset with multi-label annotated reports. Medical Image Analysis "
        "2020;66:101797. doi:10.1016/j.media.2020.101797",
        limitations=(
            "The labels come from radiology reports; for about three quarters of the images a "
            "program assigned them, so some are wrong.",
            "The radiographs come from one hospital. By default, images with other findings are "
            "left out, so the classes are easier to separate than in practice.",
        ),
        facts={
            "setting": f"One centre: Hospital San Juan, Spain, 2009 to 2017 {_STATED}.",
            "acquired": f"Chest radiographs in six projections {_STATED}.",
            "annotators": "Trained physicians labelled the reports of 27 % of the images, a "
            f"recurrent neural network the others {_STATED}.",
            "test_annotators": f"As for the other images {_STATED}.",
        },
    ),
    table=table,
    positive=("pneumonia",),
    negative=(NORMAL,),
    frontal=("PA", "AP", "AP_horizontal"),
    notes=("Images labelled normal beside another finding count by the other finding.",),
    tried="The recipe was tried on the published label table, with generated images.",
)
