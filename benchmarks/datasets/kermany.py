"""The radiographs of Kermany et al. and their copy in MedMNIST: recognition, source, facts."""

from __future__ import annotations

import pandas as pd

from benchmarks.datasets.dataset import Source

TEST_IMAGES = {"NORMAL": 234, "PNEUMONIA": 390}
MEDMNIST_IMAGES = {
    ("train", "NORMAL"): 1214, ("train", "PNEUMONIA"): 3494,
    ("validation", "NORMAL"): 135, ("validation", "PNEUMONIA"): 389,
    ("test", "NORMAL"): 234, ("test", "PNEUMONIA"): 390,
}  # fmt: skip
NAMED = 0.99  # smallest fraction of file names that follow the pattern of the data set
_STATED = "(as stated by the authors of the data: Kermany et al., 2018)"
_FACTS = {
    "setting": f"One centre: Guangzhou Women and Children's Medical Center {_STATED}.",
    "eligible": "Children aged one to five years, radiographed in routine care; unreadable images "
    f"were excluded {_STATED}.",
    "acquired": f"Chest radiographs, anterior-posterior {_STATED}.",
    "annotators": f"Two expert physicians graded the images {_STATED}.",
    "test_annotators": f"A third expert checked the test images {_STATED}.",
}
_LIMITATIONS = (
    "The radiographs come from one hospital and from children aged one to five years. The results "
    "do not generalise to adults, other hospitals or other machines.",
    "Pneumonia is compared with normal images only. The many other findings of clinical practice "
    "are not represented.",
)
_LICENCE = "CC BY 4.0"
KERMANY = Source(
    licence=_LICENCE,
    citation="Kermany D, Zhang K, Goldbaum M. Labeled Optical Coherence Tomography (OCT) and Chest "
    "X-Ray Images for Classification. Mendeley Data, V2, 2018. doi:10.17632/rscbjbr9sj.2; Kermany "
    "DS et al. Identifying Medical Diagnoses and Treatable Diseases by Image-Based Deep Learning. "
    "Cell 2018;172:1122-1131. doi:10.1016/j.cell.2018.02.010",
    limitations=_LIMITATIONS,
    facts=_FACTS,
)
MEDMNIST = Source(
    licence=_LICENCE,
    citation="Yang J et al. MedMNIST v2: a large-scale lightweight benchmark for 2D and 3D "
    "biomedical image classification. Scientific Data 2023;10:41. doi:10.1038/s41597-022-01721-8; "
    "Kermany DS et al. Cell 2018;172:1122-1131. doi:10.1016/j.cell.2018.02.010",
    limitations=_LIMITATIONS,
    facts=_FACTS,
)


def is_kermany(manifest: pd.DataFrame) -> bool:
    """Whether a folder holds the radiographs of Kermany et al.

    File names in the same pattern are not enough: the official test split must be complete.

    Parameters
    ----------
    manifest : DataFrame
        All files of the folder: ``label`` (0: normal), ``subtype``, ``split`` and ``named``
        (whether the file name follows the pattern of the data set).

    Returns
    -------
    bool
    """
    positive = manifest["label"] > 0
    as_named = manifest["named"] & (positive == (manifest["subtype"] != ""))
    test = positive[manifest["split"] == "test"]
    counts = {"NORMAL": int((~test).sum()), "PNEUMONIA": int(test.sum())}
    return bool(as_named.mean() >= NAMED) and counts == TEST_IMAGES


def is_pneumoniamnist(manifest: pd.DataFrame) -> bool:
    """Whether the images of each split and class are as many as in PneumoniaMNIST.

    Parameters
    ----------
    manifest : DataFrame
        With ``split`` and ``class``.

    Returns
    -------
    bool
    """
    return manifest.groupby(["split", "class"]).size().to_dict() == MEDMNIST_IMAGES
