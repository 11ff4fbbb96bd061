"""The only place that splits; always by patient."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.dataset import CLASSES, DataError

VALIDATION_FRACTION = 0.15
MIN_VALIDATION_PER_CLASS = 30


def assign(manifest: pd.DataFrame, seed: int) -> tuple[pd.Series, list[str]]:
    """Give every image its split: train, validation or test.

    A validation split that came with the data is used if it has at least 30 images of each class
    and no patient of train; otherwise it is merged into train and 15 % of the patients are carved
    from there, stratified by class and subtype.

    Parameters
    ----------
    manifest : DataFrame
        With ``split`` as found, ``group``, ``class`` and ``subtype``.
    seed : int

    Returns
    -------
    Series of str, list of str
        The split of each row; notes for the report.

    Raises
    ------
    DataError
        If a split or a class in it is missing, or a patient is in test and elsewhere.
    """
    split, notes = _merge_small_validation(manifest)
    _check_patients(manifest, split)
    if not (split == "validation").any():
        rows = np.flatnonzero(split == "train")
        split.iloc[rows[_carve(manifest.iloc[rows], seed)]] = "validation"
        notes.append(
            f"Validation carved from train by patient: {(split == 'validation').sum()} of "
            f"{len(rows)} images ({VALIDATION_FRACTION:.0%} of the patients, stratified)."
        )
    for name in ("train", "validation", "test"):
        found = manifest.loc[split == name, "class"].value_counts()
        if any(found.get(label, 0) == 0 for label in CLASSES):
            raise DataError(
                f"Split {name} has {found.to_dict() or 'no image'}, but expected images of both "
                f"{' and '.join(CLASSES)}. Add patients, or raise --limit."
            )
    return split, notes


def limit(manifest: pd.DataFrame, n_images: int, seed: int) -> NDArray[np.intp]:
    """Choose about ``n_images``: whole patients, classes and splits in proportion.

    Parameters
    ----------
    manifest : DataFrame
        With ``split``, ``class``, ``group``.
    n_images : int
    seed : int

    Returns
    -------
    ndarray of int
        Positions of the rows kept, ascending; all of them if there are no more than ``n_images``.

    """
    if n_images >= len(manifest):
        return np.arange(len(manifest))
    strata = (manifest["split"] + "/" + manifest["class"]).to_numpy()
    return _draw_patients(manifest["group"].to_numpy(), strata, n_images / len(manifest), seed)


def _merge_small_validation(manifest: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    split = manifest["split"].copy()
    validation = split == "validation"
    if not validation.any():
        return split, []
    counts = manifest.loc[validation, "class"].value_counts()
    shared = set(manifest.loc[validation, "group"]) & set(manifest.loc[split == "train", "group"])
    fewest = min(counts.get(label, 0) for label in CLASSES)
    if fewest >= MIN_VALIDATION_PER_CLASS and not shared:
        return split, [f"Validation as it came with the data: {validation.sum()} images."]
    reason = (
        f"it has {fewest} images of one class, and choosing a threshold needs at least "
        f"{MIN_VALIDATION_PER_CLASS}"
        if fewest < MIN_VALIDATION_PER_CLASS
        else f"{len(shared)} of its patients are in train too"
    )
    split[validation] = "train"
    return split, [f"The data's own validation split ({validation.sum()} images) was merged into "
                   f"train: {reason}."]  # fmt: skip


def _check_patients(manifest: pd.DataFrame, split: pd.Series) -> None:
    test = set(manifest.loc[split == "test", "group"])
    shared = sorted(test & set(manifest.loc[split != "test", "group"]))
    if shared:
        example = manifest.loc[manifest["group"] == shared[0], "image"].tolist()[:2]
        raise DataError(
            f"{len(shared)} patients are in test and in train, for example {shared[0]} "
            f"({', '.join(example)}), but expected no patient in both. Move their images to one."
        )


def _carve(train: pd.DataFrame, seed: int) -> NDArray[np.intp]:
    for label in CLASSES:
        patients = train.loc[train["class"] == label, "group"].nunique()
        if patients < 2:
            raise DataError(
                f"Got {patients} patients of class {label} in train, but expected at least 2, one "
                "of them for validation. Add patients, or raise --limit."
            )
    strata = (train["class"] + "/" + train["subtype"]).to_numpy()
    return _draw_patients(train["group"].to_numpy(), strata, VALIDATION_FRACTION, seed)


def _draw_patients(
    groups: NDArray[np.object_], strata: NDArray[np.object_], fraction: float, seed: int
) -> NDArray[np.intp]:
    """Rows of random whole patients: about ``fraction`` of each stratum, at least one patient."""
    rng = np.random.default_rng(seed)
    drawn: list[int] = []
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        quota = fraction * len(rows)
        taken: list[int] = []
        for patient in rng.permutation(np.unique(groups[rows])):
            images = rows[groups[rows] == patient]
            if not taken or abs(len(taken) + len(images) - quota) < abs(len(taken) - quota):
                taken += images.tolist()
        drawn += taken
    return np.sort(np.asarray(drawn, dtype=np.intp))
