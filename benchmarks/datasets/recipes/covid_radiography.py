"""COVID-19 Radiography Database: 21,165 radiographs collected from several public sources."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from benchmarks.datasets.recipes.layout_files import folder_with, inside
from benchmarks.datasets.recipes.recipe import Recipe
from benchmarks.datasets.recipes.source import Source

CLASSES = ("COVID", "Lung_Opacity", "Normal", "Viral Pneumonia")
_STATED = "(as stated by the authors of the data)"


def table(root: Path) -> pd.DataFrame:
    """List ``images/`` below the folder of each class; ``masks/`` is never read.

    Patients are not published.

    Parameters
    ----------
    root : Path

    Returns
    -------
    DataFrame
    """
    folder = folder_with(root, CLASSES)
    rows = [
        (f"{name}/images/{file.name}", name)
        for name in CLASSES
        for file in sorted((folder / name / "images").glob("[!.]*"))
    ]
    result = pd.DataFrame(rows, columns=["image", "label"], dtype=str)
    return result.assign(image=inside(root, folder, result["image"]))


RECIPE = Recipe(
    title="COVID-19 Radiography Database",
    obtain="https://www.kaggle.com/datasets/tawsifurrahman/covid19-radiography-database",
    layout=f"the folders {', '.join(CLASSES)}, each with images/",
    source=Source(
        licence="",
        citation="Chowdhury MEH, Rahman T, Khandakar A, et al. Can AI help in screening viral and "
        "COVID-19 pneumonia? IEEE Access 2020;8:132665-132676. doi:10.1109/ACCESS.2020.3010287; "
        "Rahman T, Khandakar A, Qiblawey Y, et al. Exploring the effect of image enhancement "
        "techniques on COVID-19 detection using chest X-ray images. Computers in Biology and "
        "Medicine 2021;132:104319. doi:10.1016/j.compbiomed.2021.104319",
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
    positive=("COVID",),
    negative=("Normal",),
)
