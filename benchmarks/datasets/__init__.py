"""Data sets: one a file, each with ``load(config, size) -> Dataset``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

from benchmarks.config import RunConfig
from benchmarks.datasets import folder, npz, phantoms, pneumoniamnist, splits
from benchmarks.datasets.dataset import DataError, Dataset, by_subtype, take

DATASETS: dict[str, ModuleType] = {
    "phantoms": phantoms,
    "folder": folder,
    "npz": npz,
    "pneumoniamnist": pneumoniamnist,
}
BY_NAME = tuple(name for name in DATASETS if name not in ("folder", "npz"))


def load(config: RunConfig, size: int) -> Dataset:
    """Load what ``config.data`` names: a known name, a folder, or an ``.npz`` file.

    With ``config.task`` ``subtype`` data of two classes are those of three: NORMAL and the
    subtypes of PNEUMONIA.

    Parameters
    ----------
    config : RunConfig
    size : int
        Side of the images in pixels.

    Raises
    ------
    DataError
        If it is none of these, or can't be used.
    """
    name = kind(config.data)
    dataset: Dataset = DATASETS[name].load(config, size)
    if config.task == "subtype" and len(dataset.classes) == 2:
        manifest, classes = by_subtype(dataset.manifest, f"--data {config.data}")
        dataset = replace(dataset, manifest=manifest, classes=classes)
    if config.limit and name != "folder":  # a folder is limited before its files are decoded
        kept = splits.limit(dataset.manifest, config.limit)
        return take(dataset, kept)
    return dataset


def kind(data: str) -> str:
    """Key of ``DATASETS`` for a ``--data`` value.

    Raises
    ------
    DataError
        If there is no such data set, folder or file.
    """
    if data in BY_NAME:
        return data
    path = Path(data)
    if path.is_dir():
        return "folder"
    if path.is_file() and path.suffix == ".npz":
        return "npz"
    found = "a file of another kind" if path.exists() else "nothing"
    raise DataError(
        f"--data {data}: found {found} there, but expected one of {', '.join(BY_NAME)}, a folder "
        "with {train,test}/{NORMAL,PNEUMONIA}, or a MedMNIST .npz file."
    )
