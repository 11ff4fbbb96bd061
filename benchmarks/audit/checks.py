"""What an audit looks for: one function a check, each of which returns its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from benchmarks.audit.class_marks import (
    NOTE_AUC,
    WARN_AUC,
    cell_numbers,
    describe_places,
    telling_places,
)
from benchmarks.audit.near_duplicates import near_duplicates
from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.splits import MIN_VALIDATION_PER_CLASS
from benchmarks.io.image_stack import ImageStack
from features.reading.preprocess import grey_percentiles

STOP, WARN, NOTE = "stop", "warn", "note"
FEWEST = MIN_VALIDATION_PER_CLASS
FLAT = 8  # grey levels; 95 % of the pixels of a nearly empty image span fewer
_NAMED = 4  # images a finding names
_CHUNK = 64


@dataclass(frozen=True)
class Finding:
    """One row of ``audit.csv``; ``rows`` are the positions of its images in the manifest."""

    check: str
    severity: str
    detail: str
    rows: tuple[int, ...] = ()
    unlisted: int = 0
    """Images that are not in the manifest."""


@dataclass(frozen=True)
class Evidence:
    """What the checks look at.

    Attributes
    ----------
    dataset : Dataset
        With splits as found.
    exact : list of tuple of int
        Rows of equal content.
    near : list of tuple of int
        Rows of nearly the same image; of rows of equal content only the first.
    span : ndarray of shape (n,), float64
        Grey levels between the 2.5th and the 97.5th percentile of each image.
    beside : ndarray of shape (n, C, 2), float32
        Grey values of places beside the lungs; see
        :func:`benchmarks.audit.class_marks.cell_numbers`.
    """

    dataset: Dataset
    exact: list[tuple[int, ...]]
    near: list[tuple[int, ...]]
    span: NDArray[np.float64]
    beside: NDArray[np.float32]

    @property
    def manifest(self) -> pd.DataFrame:
        """Manifest of the data set."""
        return self.dataset.manifest

    def values(self, rows: Iterable[int], column: str) -> list[str]:
        """Different values of some rows, sorted."""
        return sorted(set(self.manifest[column].iloc[list(rows)]))

    def names(self, rows: Iterable[int]) -> str:
        """Name some images, the first few if they are many."""
        return _listed(self.manifest["image"].iloc[list(rows)].tolist())


def gather(dataset: Dataset) -> Evidence:
    """Compare all images with each other, and read each once."""
    manifest, stack = dataset.manifest, ImageStack.of(dataset.images)
    content: dict[str, list[int]] = {}
    for row, sha256 in enumerate(manifest["sha256"]):
        content.setdefault(sha256, []).append(row)
    exact = [tuple(rows) for rows in content.values() if len(rows) > 1]
    firsts = np.array([rows[0] for rows in content.values()], dtype=np.intp)
    pairs = near_duplicates(stack.take(firsts))[["first", "second"]].to_numpy(dtype=np.intp)
    span, beside = np.empty(len(stack)), []
    for start in range(0, len(stack), _CHUNK):
        images = stack[start : start + _CHUNK]
        beside.append(cell_numbers(images))
        for k, image in enumerate(images, start):
            low, high = grey_percentiles(image, 2.5, 97.5)
            span[k] = high - low
    near = components(len(manifest), firsts[pairs])
    return Evidence(dataset, exact, near, span, np.concatenate(beside))


def components(n: int, pairs: NDArray[np.intp]) -> list[tuple[int, ...]]:
    """Join pairs that share a member into sets.

    Parameters
    ----------
    n : int
        Members are numbered from 0 to n − 1.
    pairs : ndarray of shape (m, 2), int

    Returns
    -------
    list of tuple of int
        Ascending; members without a pair are left out.

    Examples
    --------
    >>> components(6, np.array([[4, 1], [2, 4], [0, 5]]))
    [(0, 5), (1, 2, 4)]
    """
    ones = np.ones(len(pairs), dtype=np.int8)
    _, joined = connected_components(coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(n, n)))
    sets = pd.Series(np.arange(n)).groupby(joined).agg(tuple)
    return sorted(members for members in sets if len(members) > 1)


def exact_duplicates(evidence: Evidence) -> list[Finding]:
    """Find images of the same content."""
    return [_copies(evidence, "exact_duplicate", rows, "same content") for rows in evidence.exact]


def near_duplicate_groups(evidence: Evidence) -> list[Finding]:
    """Find groups of images that differ little more than a file saved again does."""
    return [
        _copies(evidence, "near_duplicate", rows, "nearly the same image") for rows in evidence.near
    ]


def label_conflicts(evidence: Evidence) -> list[Finding]:
    """Find the same content under several classes."""
    found = []
    for rows in evidence.exact:
        classes = evidence.values(rows, "class")
        if len(classes) > 1:
            detail = f"same content as {' and as '.join(classes)}: {evidence.names(rows)}"
            found.append(Finding("label_conflict", STOP, detail, rows))
    return found


def patient_leaks(evidence: Evidence) -> list[Finding]:
    """Find patients in several splits: those in test stop a run, others are merged."""
    if not evidence.dataset.patients_known:
        return [_unknown_patients(evidence)]
    manifest = evidence.manifest
    splits = manifest.groupby("group")["split"].agg(lambda names: " and ".join(sorted(set(names))))
    found = []
    for combination in sorted(set(splits[splits.str.contains(" and ")])):
        patients = splits.index[splits == combination]
        rows = tuple(np.flatnonzero(manifest["group"].isin(patients)).tolist())
        detail = f"in {combination}: {_listed(sorted(patients), 'patients')}"
        severity = _severity(combination.split(" and "))
        found.append(Finding("patient_leak", severity, detail, rows))
    return found


def unreadable_files(evidence: Evidence) -> list[Finding]:
    """Count files that could not be read."""
    left_out = evidence.dataset.left_out
    if left_out.empty:
        return []
    detail = f"left out: {_listed(left_out['image'].tolist())}"
    return [Finding("unreadable", WARN, detail, unlisted=len(left_out))]


def empty_images(evidence: Evidence) -> list[Finding]:
    """Find images that are constant or nearly empty."""
    rows = tuple(np.flatnonzero(evidence.span < FLAT).tolist())
    if not rows:
        return []
    detail = f"95 % of the pixels are within {FLAT} grey levels: {evidence.names(rows)}"
    return [Finding("empty_image", WARN, detail, rows)]


def class_marks(evidence: Evidence) -> list[Finding]:
    """Find places beside the lungs where one grey value of training images tells a class."""
    manifest = evidence.manifest
    train = np.flatnonzero(manifest["split"] == "train")
    label, patient = (manifest[c].to_numpy(dtype=object)[train] for c in ("class", "group"))
    size = evidence.dataset.images.shape[1]
    places = telling_places(evidence.beside[train], label, patient, size)
    places = places[places["auc"] >= np.maximum(NOTE_AUC, places["by_chance"])]
    if places.empty:
        return []
    severity = WARN if places["auc"].max() >= WARN_AUC else NOTE
    return [Finding("class_mark", severity, describe_places(places, size), tuple(train.tolist()))]


def small_splits(evidence: Evidence) -> list[Finding]:
    """Find splits with too few images of a class to choose or judge anything by."""
    manifest = evidence.manifest
    found = []
    for split in evidence.values(range(len(manifest)), "split"):
        own = manifest.loc[manifest["split"] == split, "class"].value_counts()
        counts = {name: int(own.get(name, 0)) for name in sorted(set(manifest["class"]))}
        if min(counts.values()) < FEWEST:
            listed = ", ".join(f"{n} {name}" for name, n in counts.items())
            what = "it is merged into train" if split == "validation" else "scores are coarse"
            detail = f"{split} has {listed}, under {FEWEST} of a class: {what}"
            severity = NOTE if split == "validation" else WARN
            rows = tuple(np.flatnonzero(manifest["split"] == split).tolist())
            found.append(Finding("small_split", severity, detail, rows))
    return found


def counts(evidence: Evidence) -> list[Finding]:
    """Count classes, subtypes and images a patient of each split."""
    found = []
    for split, part in evidence.manifest.groupby("split", sort=True):
        classes = [_class_counts(name, own) for name, own in part.groupby("class", sort=True)]
        each = part.groupby("group").size()
        detail = f"{split}: {'; '.join(classes)}; {each.min()} to {each.max()} images a patient"
        rows = np.flatnonzero(evidence.manifest["split"] == split)
        found.append(Finding("counts", NOTE, detail, tuple(rows.tolist())))
    return found


CHECKS: dict[str, Callable[[Evidence], list[Finding]]] = {
    "label_conflict": label_conflicts,
    "patient_leak": patient_leaks,
    "unreadable": unreadable_files,
    "empty_image": empty_images,
    "class_mark": class_marks,
    "small_split": small_splits,
    "counts": counts,
    "exact_duplicate": exact_duplicates,
    "near_duplicate": near_duplicate_groups,
}


def _copies(evidence: Evidence, check: str, rows: tuple[int, ...], what: str) -> Finding:
    splits, classes = evidence.values(rows, "split"), evidence.values(rows, "class")
    severity = _severity(splits)
    if severity == NOTE and len(classes) > 1:
        severity = WARN
    patients = len(evidence.values(rows, "group"))
    where = f"in {' and '.join(splits)}"
    if len(classes) > 1:
        where += f", as {' and as '.join(classes)}"
    of = "1 patient" if patients == 1 else f"{patients} patients"
    return Finding(check, severity, f"{what}, {where}, {of}: {evidence.names(rows)}", rows)


def _severity(splits: Iterable[str]) -> str:
    several = set(splits)
    if len(several) == 1:
        return NOTE
    return STOP if "test" in several else WARN


def _unknown_patients(evidence: Evidence) -> Finding:
    detail = (
        "most names tell no patient: each image counts as its own, so that a patient in two "
        "splits can't be seen"
    )
    return Finding("patient_leak", WARN, detail, tuple(range(len(evidence.manifest))))


def _class_counts(name: object, own: pd.DataFrame) -> str:
    subtypes = own.loc[own["subtype"] != "", "subtype"].value_counts().sort_index()
    listed = ", ".join(f"{n:,} {subtype}" for subtype, n in subtypes.items())
    text = f"{len(own):,} {name} of {own['group'].nunique():,} patients"
    return f"{text} ({listed})" if listed else text


def _listed(names: list[str], what: str = "images") -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more {what}" if more > 0 else "")
