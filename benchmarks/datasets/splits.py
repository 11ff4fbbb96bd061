"""Splits and folds, always by patient; the only place that splits."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.datasets.dataset import CLASSES, DataError

VALIDATION_FRACTION = 0.15
MIN_VALIDATION_PER_CLASS = 30
ALL = 1.0  # test fraction of an external test set, which needs no splits
SEED = 0  # of the protocol: the split does not depend on the seeds of the cells


def assign(
    manifest: pd.DataFrame,
    seed: int = SEED,
    allow_leakage: bool = False,
    classes: tuple[str, ...] = CLASSES,
) -> tuple[pd.Series, list[str]]:
    """Assign every image to a split: train, validation or test.

    A validation split of the data is used if it has at least 30 images of each class and shares no
    patient with train. Otherwise it is merged into train, and about 15 % of train becomes
    validation, stratified by class and subtype. The images of a patient stay together.

    Parameters
    ----------
    manifest : DataFrame
        With ``image``, ``split`` as found, ``group``, ``class`` and ``subtype``.
    seed : int
    allow_leakage : bool
        Whether to accept patients who are in test and in another split.
    classes : tuple of str
        Names of all classes.

    Returns
    -------
    split : Series of str
        The split of each row.
    notes : list of str
        For the report.

    Raises
    ------
    DataError
        If a split or a class in it is missing, or, without ``allow_leakage``, a patient is in two
        splits.
    """
    split, notes = _merge_small_validation(manifest, classes)
    if not (split == "validation").any():
        rows = np.flatnonzero(split == "train")
        split.iloc[rows[_draw_validation(manifest.iloc[rows], seed, classes)]] = "validation"
        notes.append(
            f"Validation drawn from train by patient: {(split == 'validation').sum()} of "
            f"{len(rows)} images (whole patients, stratified by class and subtype)."
        )
    if not allow_leakage:
        _check_disjoint(manifest, split)
    for name in ("train", "validation", "test"):
        found = manifest.loc[split == name, "class"].value_counts()
        if any(found.get(label, 0) == 0 for label in classes):
            raise DataError(
                f"Split {name} has {found.to_dict() or 'no images'}, but expected images of "
                f"{'both ' * (len(classes) == 2)}{' and '.join(classes)}. "
                "Add patients, or raise --limit if it was given."
            )
    return split, notes


def before_drawing(
    manifest: pd.DataFrame, fraction: float | None
) -> tuple[pd.DataFrame, float | None]:
    """Check data of which a test split is to be drawn once copies of images are known.

    Parameters
    ----------
    manifest : DataFrame
        With ``split`` as found.
    fraction : float or None
        Fraction to be drawn; None: nothing is checked; ``ALL``: every image is in test.

    Returns
    -------
    manifest : DataFrame
    fraction : float or None
        What is still to be drawn.

    Raises
    ------
    DataError
        If there is a test split.
    """
    if fraction == ALL:
        return manifest.assign(split="test"), None
    if fraction is not None:
        _require_no_test(manifest, fraction)
    return manifest, fraction


def draw_test(
    manifest: pd.DataFrame, fraction: float, seed: int = SEED
) -> tuple[pd.Series, list[str]]:
    """Draw a test split from train: whole patients, stratified by class and subtype.

    Parameters
    ----------
    manifest : DataFrame
        With ``split``, ``group``, ``class`` and ``subtype``; no image is in test.
    fraction : float, in (0, 1)
        Of the images of train.
    seed : int

    Returns
    -------
    split : Series of str
        The split of each row. All images of a drawn patient are in test.
    notes : list of str
        For the report.

    Raises
    ------
    DataError
        If there is a test split already, or a class has fewer than two patients.
    """
    _require_no_test(manifest, fraction)
    train = manifest[manifest["split"] == "train"]
    _check_patients(train, sorted(set(train["class"])), "test")
    drawn = _draw_patients(train, ["class", "subtype"], fraction, seed, fewest=2)
    return _as_test(
        manifest, train.loc[drawn, "group"], "Test drawn by patient",
        f"--test-fraction {fraction:g}, whole patients, stratified by class and subtype, seed "
        f"{seed}",
    )  # fmt: skip


def _as_test(
    manifest: pd.DataFrame, patients: pd.Series, what: str, how: str
) -> tuple[pd.Series, list[str]]:
    """Put all images of the drawn patients in test, and note how many they are."""
    is_test = manifest["group"].isin(patients)
    return manifest["split"].mask(is_test, "test"), [
        f"{what}: {is_test.sum():,} of {len(manifest):,} images "
        f"({manifest.loc[is_test, 'group'].nunique():,} of {manifest['group'].nunique():,} "
        f"patients; {how})."
    ]


def _require_no_test(manifest: pd.DataFrame, fraction: float) -> None:
    if (manifest["split"] == "test").any():
        raise DataError(
            f"--test-fraction: got {fraction:g}, but the data have a test split, and expected "
            "none. Leave --test-fraction out."
        )


def draw_common_test(
    manifest: pd.DataFrame, fraction: float, seed: int = SEED
) -> tuple[pd.Series, list[str]]:
    """Draw one test split for several labels from train: whole patients.

    Parameters
    ----------
    manifest : DataFrame
        With ``split``, ``group`` and ``class``, which here stands for the number of positive
        labels of an image; no image is in test.
    fraction : float, in (0, 1)
        Of the images of train.
    seed : int

    Returns
    -------
    split : Series of str
        The split of each row. All images of a drawn patient are in test.
    notes : list of str
        For the report.

    Raises
    ------
    DataError
        If there is a test split already, or too few patients to draw from.
    """
    _require_no_test(manifest, fraction)
    train = manifest[manifest["split"] == "train"]
    drawn = _draw_patients(train, ["class"], fraction, seed, fewest=2)
    if not drawn.any():
        raise DataError(
            f"--test-fraction: got {train['group'].nunique()} patients, but expected at least two "
            "whose images have the same numbers of positive labels. Give a split with --split."
        )
    return _as_test(
        manifest, train.loc[drawn, "group"], "Test drawn once for all labels, by patient",
        f"--test-fraction {fraction:g}, whole patients, stratified by the numbers of positive "
        f"labels of their images, seed {seed}",
    )  # fmt: skip


def threshold_notes(positives: int, recall: float) -> list[str]:
    """Say whether the validation set has too few positives to select a threshold by their recall.

    Parameters
    ----------
    positives : int
        Positive images in the validation set.
    recall : float, in (0, 1)
        Target recall of the threshold.

    Returns
    -------
    list of str
        For the report; empty if at least one positive may be missed.

    Notes
    -----
    With fewer than 1 / (1 − recall) positives, missing one lowers the recall below its target. The
    threshold is then the lowest score of a positive image.

    Examples
    --------
    >>> threshold_notes(20, 0.95), len(threshold_notes(19, 0.95))
    ([], 1)
    """
    needed = math.ceil(round(1 / (1 - recall), 9))
    if positives >= needed:
        return []
    return [
        f"Warning: the validation set has {positives} positive images. A recall of {recall:.2f} "
        f"with less than all of them needs at least {needed}, so the threshold selected for it is "
        "the lowest score of a positive image, which a single image decides."
    ]


def limit(manifest: pd.DataFrame, n_images: int, seed: int = SEED) -> NDArray[np.intp]:
    """Draw about ``n_images`` images: whole patients, in proportion to classes and splits.

    Parameters
    ----------
    manifest : DataFrame
        With ``split``, ``class``, ``group``.
    n_images : int
    seed : int

    Returns
    -------
    ndarray of int
        Positions of the rows, ascending; all if there are no more than ``n_images``.
    """
    if n_images >= len(manifest):
        return np.arange(len(manifest))
    drawn = _draw_patients(manifest, ["split", "class"], n_images / len(manifest), seed, fewest=1)
    return np.flatnonzero(drawn)


def folds(manifest: pd.DataFrame, count: int, seed: int = SEED) -> NDArray[np.int64]:
    """Assign patients to folds, stratified by class and subtype.

    Parameters
    ----------
    manifest : DataFrame of n rows
        Training images, with ``group``, ``class``, ``subtype``; sorted by ``image``.
    count : int
        Number of folds, at least 2.
    seed : int

    Returns
    -------
    ndarray of shape (n,)
        The fold of each image, 1 to ``count``; the images of a patient are in one fold.

    Raises
    ------
    DataError
        If a class has fewer patients than there are folds.
    """
    fewest = manifest.groupby("class")["group"].nunique()
    if fewest.min() < count:
        raise DataError(
            f"Got {fewest.min()} training patients of class {fewest.idxmin()}, but {count} folds "
            f"need at least {count}. Add patients, use fewer --folds (0: none), or raise --limit "
            "if it was given."
        )
    stratum = (manifest["class"] + "/" + manifest["subtype"]).to_numpy(dtype=str)
    groups = manifest["group"].to_numpy(dtype=str)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    fold = np.zeros(len(manifest), dtype=np.int64)
    with warnings.catch_warnings():  # a subtype may have fewer patients than folds
        warnings.filterwarnings("ignore", message="The least populated class in y")
        for k, (_, held_out) in enumerate(splitter.split(stratum, stratum, groups), start=1):
            fold[held_out] = k
    return fold


def _merge_small_validation(
    manifest: pd.DataFrame, classes: tuple[str, ...]
) -> tuple[pd.Series, list[str]]:
    split = manifest["split"].copy()
    validation = split == "validation"
    if not validation.any():
        return split, []
    counts = manifest.loc[validation, "class"].value_counts()
    shared = set(manifest.loc[validation, "group"]) & set(manifest.loc[split == "train", "group"])
    fewest = min(counts.get(label, 0) for label in classes)
    if fewest >= MIN_VALIDATION_PER_CLASS and not shared:
        return split, [f"Validation split of the data: {validation.sum()} images."]
    reason = (
        f"it has {fewest} images of one class, and selecting a threshold needs at least "
        f"{MIN_VALIDATION_PER_CLASS}"
        if fewest < MIN_VALIDATION_PER_CLASS
        else f"{len(shared)} of its patients are in train too"
    )
    split[validation] = "train"
    return split, [f"The validation split of the data ({validation.sum()} images) was merged into "
                   f"train: {reason}."]  # fmt: skip


def _check_disjoint(manifest: pd.DataFrame, split: pd.Series) -> None:
    pairs = pd.DataFrame({"group": manifest["group"], "split": split}).drop_duplicates()
    pairs = pairs[pairs.duplicated("group", keep=False)].sort_values(["group", "split"])
    shared = pairs.groupby("group")["split"].agg(" and ".join)
    if len(shared):
        example = manifest.loc[manifest["group"] == shared.index[0], "image"].tolist()[:2]
        raise DataError(
            f"{len(shared)} patients are in two splits, for example {shared.index[0]} in "
            f"{shared.iloc[0]} ({', '.join(example)}), but expected each in one. Move their "
            "images to one split, or use --allow-leakage."
        )


def _draw_validation(train: pd.DataFrame, seed: int, classes: tuple[str, ...]) -> NDArray[np.intp]:
    _check_patients(train, classes, "validation")
    return np.flatnonzero(
        _draw_patients(train, ["class", "subtype"], VALIDATION_FRACTION, seed, fewest=2)
    )


def _check_patients(train: pd.DataFrame, classes: Sequence[str], drawn: str) -> None:
    for label in classes:
        patients = train.loc[train["class"] == label, "group"].nunique()
        if patients < 2:
            raise DataError(
                f"Got {patients} patients of class {label} in train, but expected at least 2, one "
                f"of them for {drawn}. Add patients, or raise --limit if it was given."
            )


def _draw_patients(
    table: pd.DataFrame, columns: list[str], fraction: float, seed: int, fewest: int
) -> NDArray[np.bool_]:
    """Draw whole patients: about ``fraction`` of the images of each stratum, at least one patient.

    The stratum of a patient is the set of values of its images in ``columns``. No patient is drawn
    from strata of fewer than ``fewest`` patients.
    """
    rng = np.random.default_rng(seed)
    key = table[columns[0]].astype(str)
    for column in columns[1:]:
        key = key + "/" + table[column].astype(str)
    keys = pd.DataFrame({"group": table["group"], "key": key}).drop_duplicates()
    stratum = keys.sort_values(["group", "key"]).groupby("group")["key"].agg("+".join)
    images = table["group"].value_counts()
    drawn: list[str] = []
    for _, patients in sorted(stratum.groupby(stratum).groups.items()):
        if len(patients) < fewest:
            continue
        quota, taken = fraction * images[patients].sum(), 0
        order = rng.permutation(np.sort(patients.to_numpy()))
        for patient, n in zip(order, images[order].tolist(), strict=True):
            if taken == 0 or abs(taken + n - quota) < abs(taken - quota):
                drawn.append(patient)
                taken += n
    return table["group"].isin(drawn).to_numpy()
