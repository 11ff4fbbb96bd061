"""COVID-QU-Ex: 33,920 radiographs collected from several public sources, with a split."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.layout_files import folder_with, inside
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source

CLASSES = ("COVID-19", "Non-COVID", "Normal")
SPLITS = {"Train": "train", "Val": "validation", "Test": "test"}
LUNGS = "Lung Segmentation Data"  # holds all images; the infection data are a part of them
_STATED = "(as stated by the authors of the data: Tahir et al., 2021)"


def table(root: Path) -> pd.DataFrame:
    """List ``images/`` below each split and class of the lung data; masks are never read.

    Patients are not published.

    Parameters
    ----------
    root : Path
        Holds ``Lung Segmentation Data``, or the folders of the splits themselves.

    Returns
    -------
    DataFrame
    """
    lungs = root / LUNGS
    folder = folder_with(lungs if lungs.is_dir() else root, list(SPLITS))
    rows = [
        (f"{split}/{name}/images/{file.name}", name, SPLITS[split])
        for split in SPLITS
        for name in CLASSES
        for file in sorted((folder / split / name / "images").glob("[!.]*"))
    ]
    result = pd.DataFrame(rows, columns=["image", "label", "split"], dtype=str)
    return result.assign(image=inside(root, folder, result["image"]))


RECIPE = Recipe(
    title="COVID-QU-Ex",
    obtain="https://www.kaggle.com/datasets/anasmohammedtahir/covidqu",
    layout=f"{LUNGS}/{LUNGS}/{{Train,Val,Test}}/{{{','.join(CLASSES)}}}/images",
    source=Source(
        licence="CC BY-SA 4.0",
        citation="Tahir AM, Chowdhury MEH, Khandakar A, et al. COVID-19 infection localization and "
        "severity grading from chest X-ray images. Computers in Biology and Medicine "
        "2021;139:105002. doi:10.1016/j.compbiomed.2021.105002; Tahir AM et al. COVID-QU-Ex. "
        "Kaggle 2021. doi:10.34740/kaggle/dsv/3122958",
        limitations=(
            "The classes were collected from different public sources (other hospitals, machines "
            "and ages), so a model can separate the sources instead of the disease.",
            "Patients are unknown: images of one patient may be in train and test.",
        ),
        facts={
            "setting": f"Several public collections of radiographs {_STATED}.",
            "annotators": f"The class is that of the collection an image comes from {_STATED}.",
        },
    ),
    table=table,
    positive=("COVID-19",),
    negative=("Normal",),
)
