"""Montgomery County chest X-ray set: 138 radiographs, normal or with signs of tuberculosis."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.shenzhen import (
    CITATION,
    LIMITATIONS,
    OBTAIN,
    STATED,
    screening_table,
)
from benchmarks.datasets.recipes.source import Source


def table(root: Path) -> pd.DataFrame:
    """List the PNG files, whose names tell the class, and read sex and age where they are given.

    The masks of the lungs, which have the same names, are never read.

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
    """
    return screening_table(root, "MCUCXR")


RECIPE = Recipe(
    title="Montgomery County chest X-ray set",
    obtain=f"{OBTAIN}Montgomery-County-CXR-Set/",
    layout="CXR_png/MCUCXR_0001_0.png …, and for sex and age ClinicalReadings/",
    source=Source(
        licence="",
        citation=CITATION,
        limitations=LIMITATIONS,
        facts={
            "setting": "One centre: Department of Health and Human Services, Montgomery County, "
            f"Maryland, USA {STATED}.",
            "acquired": f"Chest radiographs, posterior-anterior {STATED}.",
            "annotators": f"The readings of radiologists are part of the data {STATED}.",
        },
    ),
    table=table,
    positive=("tuberculosis",),
    negative=("normal",),
)
