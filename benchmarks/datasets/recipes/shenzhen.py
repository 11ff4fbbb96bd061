"""Shenzhen chest X-ray set: 662 radiographs, normal or with signs of tuberculosis."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.layout_files import folder_with, inside
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source

IMAGES, READINGS = "CXR_png", "ClinicalReadings"
LABELS = {"0": "normal", "1": "tuberculosis"}
CITATION = (
    "Jaeger S, Candemir S, Antani S, Wáng YXJ, Lu PX, Thoma G. Two public chest X-ray datasets for "
    "computer-aided screening of pulmonary diseases. Quantitative Imaging in Medicine and Surgery "
    "2014;4(6):475-477. doi:10.3978/j.issn.2223-4292.2014.11.20"
)
OBTAIN = "https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/"
LIMITATIONS = (
    "The set is small, and its classes are tuberculosis and normal images only.",
    "Patients are not published; each image counts as its own patient.",
)
STATED = "(as stated by the authors of the data: Jaeger et al., 2014)"
_SEX = re.compile(r"\b([fm])(?:emal\w*|ale)?\b", re.IGNORECASE)
_AGE = re.compile(r"(\d+)\s*([ymd])", re.IGNORECASE)
_PER_YEAR = {"y": 1.0, "m": 12.0, "d": 365.25}


def table(root: Path) -> pd.DataFrame:
    """List the PNG files, whose names tell the class, and read sex and age where they are given.

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
    """
    return screening_table(root, "CHNCXR")


def screening_table(root: Path, prefix: str) -> pd.DataFrame:
    """List images ``PREFIX_0001_0.png``: the last digit is 0 (normal) or 1 (tuberculosis).

    Parameters
    ----------
    root : Path
        Holds ``CXR_png`` and perhaps ``ClinicalReadings``.
    prefix : str

    Returns
    -------
    DataFrame
    """
    folder = folder_with(root, [IMAGES])
    rows = []
    for file in sorted((folder / IMAGES).glob(f"{prefix}_*_[01].png")):
        reading = folder / READINGS / f"{file.stem}.txt"
        text = reading.read_text("utf-8", errors="replace") if reading.exists() else ""
        rows.append((f"{IMAGES}/{file.name}", LABELS[file.stem[-1]], *sex_and_age(text)))
    result = pd.DataFrame(rows, columns=["image", "label", "sex", "age"], dtype=str)
    return result.assign(image=inside(root, folder, result["image"]))


def sex_and_age(reading: str) -> tuple[str, str]:
    r"""Read sex and age in years from a clinical reading.

    Parameters
    ----------
    reading : str

    Returns
    -------
    sex : str
        ``M``, ``F`` or empty.
    age : str
        A number, or empty.

    Examples
    --------
    >>> sex_and_age("femal 18month\nnormal"), sex_and_age("Patient's Sex: M\nPatient's Age: 027Y")
    (('F', '1.5'), ('M', '27'))
    """
    sex, age = _SEX.search(reading), _AGE.search(reading)
    years = f"{int(age[1]) / _PER_YEAR[age[2].lower()]:.3g}" if age else ""
    return sex[1].upper() if sex else "", years


RECIPE = Recipe(
    title="Shenzhen chest X-ray set",
    obtain=f"{OBTAIN}Shenzhen-Hospital-CXR-Set/",
    layout="CXR_png/CHNCXR_0001_0.png …, and for sex and age ClinicalReadings/",
    source=Source(
        licence="",
        citation=CITATION,
        limitations=LIMITATIONS,
        facts={
            "setting": f"One centre: Shenzhen No. 3 People's Hospital, China {STATED}.",
            "acquired": f"Chest radiographs, posterior-anterior {STATED}.",
            "annotators": f"The readings of radiologists are part of the data {STATED}.",
        },
    ),
    table=table,
    positive=("tuberculosis",),
    negative=("normal",),
)
