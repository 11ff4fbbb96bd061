"""MIMIC-CXR-JPG: 377,110 radiographs of the Beth Israel Deaconess Medical Center, with reports."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.chexpert import FINDINGS
from benchmarks.datasets.recipes.layout_files import folder_with, inside, joined, read_columns
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source

METADATA, LABELS, SPLIT = (
    f"mimic-cxr-2.0.0-{part}.csv" for part in ("metadata", "chexpert", "split")
)
_STUDY = ["subject_id", "study_id"]
_STATED = "(as stated by the authors of the data: Johnson et al., 2019)"


def table(root: Path) -> pd.DataFrame:
    """Read the metadata, the CheXpert labels of each study, and the official split.

    An image has the labels of its study; Support Devices are not part of ``label``. Patients
    are ``subject_id``. ``view`` is ``ViewPosition`` (PA, AP, LATERAL, LL, …). Sex and age are
    part of another data set (MIMIC-IV).

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
        With the 14 findings besides the columns of a recipe.
    """
    folder = folder_with(root, [METADATA, LABELS, SPLIT])
    images = read_columns(folder / METADATA, ["dicom_id", *_STUDY, "ViewPosition"])
    images = images.merge(read_columns(folder / SPLIT, ["dicom_id", "split"]), "left", "dicom_id")
    found = images.merge(read_columns(folder / LABELS, [*_STUDY, *FINDINGS]), "left", _STUDY)
    found = found.fillna("")
    patient = found["subject_id"]
    path = "files/p" + patient.str[:2] + "/p" + patient + "/s" + found["study_id"] + "/"
    return pd.DataFrame({
        "image": inside(root, folder, path + found["dicom_id"] + ".jpg"),
        "label": joined(found, FINDINGS[:-1]),
        "patient": patient,
        "split": found["split"].replace({"validate": "validation"}),
        "view": found["ViewPosition"],
        **{name: found[name] for name in FINDINGS},
    })  # fmt: skip


RECIPE = Recipe(
    title="MIMIC-CXR-JPG",
    obtain="https://physionet.org/content/mimic-cxr-jpg/ (credentialed access)",
    layout="mimic-cxr-2.0.0-metadata.csv.gz, mimic-cxr-2.0.0-chexpert.csv.gz and "
    "mimic-cxr-2.0.0-split.csv.gz beside files/p10/p10…/s5…/….jpg",
    source=Source(
        licence="PhysioNet Credentialed Health Data License",
        citation="Johnson A, Lungren M, Peng Y, Lu Z, Mark R, Berkowitz S, Horng S. MIMIC-CXR-JPG "
        "- chest radiographs with structured labels. PhysioNet. doi:10.13026/jsn5-t979; Johnson "
        "AEW et al. MIMIC-CXR, a de-identified publicly available database of chest radiographs "
        "with free-text reports. Scientific Data 2019;6:317. doi:10.1038/s41597-019-0322-0",
        limitations=(
            "The labels were read from radiology reports by a program and hold for a study, not "
            "for each of its images, so some are wrong.",
            "The radiographs come from the emergency department of one hospital. Images without a "
            "stated finding are left out by default, so the classes are easier to separate than "
            "in practice.",
        ),
        facts={
            "setting": "One centre: Beth Israel Deaconess Medical Center, Boston, USA, 2011 to "
            f"2016 {_STATED}.",
            "eligible": f"Patients presenting to the emergency department {_STATED}.",
            "acquired": f"Chest radiographs in JPEG format, derived from DICOM files {_STATED}.",
            "annotators": "The CheXpert program labelled the radiology reports; the recipe uses "
            f"mimic-cxr-2.0.0-chexpert.csv {_STATED}.",
            "test_annotators": "As for the other images: a program that labels reports. The "
            "manual labels of the test set (version 2.1.0) are not used.",
        },
    ),
    table=table,
    positive=("Pneumonia",),
    negative=("No Finding",),
    frontal=("PA", "AP"),
    notes=(
        "An image has a finding if the report of its study states it (1). By default, images whose "
        "report mentions pneumonia as uncertain (−1), denies it, or does not mention it are left "
        "out unless No Finding is stated. --label with the name of one of the 14 findings uses 1 "
        "against 0 instead, and --uncertain then says what becomes of −1 and blank.",
    ),
)
