"""The checks of an audit: each is a function that returns its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from benchmarks.audit.class_marks import (
    NOTE_AUC,
    WARN_AUC,
    describe_places,
    discriminating_places,
)
from benchmarks.audit.drawn_test import with_drawn_test
from benchmarks.audit.evidence import FLAT, Evidence, gather
from benchmarks.audit.file_properties import class_properties
from benchmarks.audit.findings import NOTE, SEVERITIES, STOP, WARN, Audit, Finding
from benchmarks.audit.patient_groups import keep_together
from benchmarks.audit.unusual_pictures import reversed_polarity, turned, unlike
from benchmarks.datasets.dataset import Dataset
from benchmarks.datasets.splits import MIN_VALIDATION_PER_CLASS
from benchmarks.io.columns import MORE_TABLES
from features.preprocessing.typical_images import Thumbnails

PICTURED = (
    "label_conflict", "exact_duplicate", "near_duplicate", "empty_image", "reversed_polarity",
    "turned", "unlike",
)  # fmt: skip
_BEFORE_JOINING = ("label_conflict", "exact_duplicate", "near_duplicate", "patient_leak")
_LISTED = 4  # images that a finding lists


def audit(dataset: Dataset, training: Thumbnails | None = None) -> Audit:
    """Run all checks on a data set.

    Parameters
    ----------
    dataset : Dataset
        With splits as found, before train is split further. If it asks for a test split, that is
        drawn first.
    training : ndarray of shape (m, 16, 16), float32, optional
        Thumbnails of the training images of a run, with which an external test set is compared.

    Returns
    -------
    Audit

    Raises
    ------
    DataError
        If no test split can be drawn.

    Notes
    -----
    An image, exposure or patient in test and in another split stops a run, and so does identical
    content with two classes. A copy or patient in train and validation is a warning, and so are
    near duplicates of two classes; :func:`benchmarks.audit.patient_groups.keep_together` and
    :func:`benchmarks.datasets.splits.assign` handle them.
    """
    evidence = with_drawn_test(gather(dataset, training))
    dataset = evidence.dataset
    found = [finding for check in CHECKS.values() for finding in check(evidence)]
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Audit(
        findings=_findings(found, dataset.manifest, _joined(evidence)),
        images=_images(found, dataset.manifest),
        duplicates=(*evidence.exact, *evidence.near),
        dataset=dataset,
    )


def _exact_duplicates(evidence: Evidence) -> list[Finding]:
    return [
        _copies(evidence, "exact_duplicate", rows, "identical content") for rows in evidence.exact
    ]


def _near_duplicates(evidence: Evidence) -> list[Finding]:
    return [
        _copies(evidence, "near_duplicate", rows, "nearly the same image") for rows in evidence.near
    ]


def _label_conflicts(evidence: Evidence) -> list[Finding]:
    """Find identical content with several classes."""
    found = []
    for rows in evidence.exact:
        classes = evidence.values(rows, "class")
        if len(classes) > 1:
            detail = (
                f"identical content as {' and as '.join(classes)}: {_images_of(evidence, rows)}"
            )
            found.append(Finding("label_conflict", STOP, detail, rows))
    return found


def _patient_leaks(evidence: Evidence) -> list[Finding]:
    """Find patients in several splits: those in test stop a run, others are merged."""
    manifest = evidence.manifest
    if not evidence.dataset.patients_known:
        detail = (
            "most file names do not identify a patient: each image counts as its own patient, so "
            "a patient in two splits can't be detected"
        )
        return [Finding("patient_leak", WARN, detail, tuple(range(len(manifest))))]
    splits = manifest.groupby("group")["split"].agg(lambda names: " and ".join(sorted(set(names))))
    found = []
    for combination in sorted(set(splits[splits.str.contains(" and ")])):
        patients = splits.index[splits == combination]
        rows = tuple(np.flatnonzero(manifest["group"].isin(patients)).tolist())
        detail = f"in {combination}: {_listed(sorted(patients), 'patients')}"
        severity = _severity(combination.split(" and "))
        found.append(Finding("patient_leak", severity, detail, rows))
    return found


def _unreadable_files(evidence: Evidence) -> list[Finding]:
    left_out = evidence.dataset.left_out
    if left_out.empty:
        return []
    detail = f"left out: {_listed(left_out['image'].tolist())}"
    return [Finding("unreadable", WARN, detail, unlisted=len(left_out))]


def _empty_images(evidence: Evidence) -> list[Finding]:
    """Find images that are constant or nearly empty."""
    rows = tuple(np.flatnonzero(evidence.empty).tolist())
    if not rows:
        return []
    detail = f"95 % of the pixels are within {FLAT} grey levels: {_images_of(evidence, rows)}"
    return [Finding("empty_image", WARN, detail, rows)]


def _class_marks(evidence: Evidence) -> list[Finding]:
    """Find places beside the lungs where one grey value predicts the class of training images."""
    manifest = evidence.manifest
    train = np.flatnonzero(manifest["split"] == "train")
    if not len(train):  # an external test set
        return []
    label, patient = (manifest[c].to_numpy(dtype=object)[train] for c in ("class", "group"))
    size = evidence.dataset.images.shape[1]
    places = discriminating_places(evidence.margins[train], label, patient, size)
    places = places[places["auc"] >= np.maximum(NOTE_AUC, places["by_chance"])]
    if places.empty:
        return []
    severity = WARN if places["auc"].max() >= WARN_AUC else NOTE
    return [Finding("class_mark", severity, describe_places(places, size), tuple(train.tolist()))]


def _file_properties(evidence: Evidence) -> list[Finding]:
    """Find properties of the files from which the class of training patients can be guessed."""
    train = np.flatnonzero(evidence.manifest["split"] == "train")
    found = class_properties(evidence.manifest.iloc[train])
    if not found:
        return []
    detail = (
        f"goes with the class, over training patients: {'; '.join(found)}. A model may use its "
        "traces instead of signs of disease"
    )
    return [Finding("file_property", WARN, detail, tuple(train.tolist()))]


def _small_splits(evidence: Evidence) -> list[Finding]:
    """Find splits with too few images of a class to select or evaluate anything on them."""
    manifest, fewest = evidence.manifest, MIN_VALIDATION_PER_CLASS
    found = []
    for split in evidence.values(range(len(manifest)), "split"):
        own = manifest.loc[manifest["split"] == split, "class"].value_counts()
        counts = {name: int(own.get(name, 0)) for name in sorted(set(manifest["class"]))}
        if min(counts.values()) < fewest:
            listed = ", ".join(f"{n} {name}" for name, n in counts.items())
            what = "it is merged into train" if split == "validation" else "scores are imprecise"
            detail = f"{split} has {listed}, fewer than {fewest} of a class: {what}"
            severity = NOTE if split == "validation" else WARN
            rows = tuple(np.flatnonzero(manifest["split"] == split).tolist())
            found.append(Finding("small_split", severity, detail, rows))
    return found


def _counts(evidence: Evidence) -> list[Finding]:
    """Count classes, subtypes and images per patient, as joined for the splits, in each split."""
    found = []
    for split, part in _joined(evidence).groupby("split", sort=True):
        classes = [_class_counts(name, own) for name, own in part.groupby("class", sort=True)]
        each = part.groupby("group").size()
        detail = f"{split}: {'; '.join(classes)}; {each.min()} to {each.max()} images per patient"
        rows = np.flatnonzero(evidence.manifest["split"] == split)
        found.append(Finding("counts", NOTE, detail, tuple(rows.tolist())))
    return found


def _joined(evidence: Evidence) -> pd.DataFrame:
    """Manifest in which patients who share an image are one patient, as in a run."""
    group = keep_together(evidence.manifest, (*evidence.exact, *evidence.near))
    return evidence.manifest.assign(group=group)


CHECKS: dict[str, Callable[[Evidence], list[Finding]]] = {
    "label_conflict": _label_conflicts,
    "patient_leak": _patient_leaks,
    "unreadable": _unreadable_files,
    "empty_image": _empty_images,
    "reversed_polarity": reversed_polarity,
    "turned": turned,
    "unlike": unlike,
    "file_property": _file_properties,
    "class_mark": _class_marks,
    "small_split": _small_splits,
    "counts": _counts,
    "exact_duplicate": _exact_duplicates,
    "near_duplicate": _near_duplicates,
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
    return Finding(check, severity, f"{what}, {where}, {of}: {_images_of(evidence, rows)}", rows)


def _severity(splits: Iterable[str]) -> str:
    several = set(splits)
    if len(several) == 1:
        return NOTE
    return STOP if "test" in several else WARN


def _class_counts(name: object, own: pd.DataFrame) -> str:
    subtypes = own.loc[own["subtype"] != "", "subtype"].value_counts().sort_index()
    listed = ", ".join(f"{n:,} {subtype}" for subtype, n in subtypes.items())
    text = f"{len(own):,} {name} of {own['group'].nunique():,} patients"
    return f"{text} ({listed})" if listed else text


def _images_of(evidence: Evidence, rows: Iterable[int]) -> str:
    return _listed(evidence.manifest["image"].iloc[list(rows)].tolist())


def _listed(names: list[str], what: str = "images") -> str:
    more = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {more} more {what}" if more > 0 else "")


def _findings(found: list[Finding], manifest: pd.DataFrame, joined: pd.DataFrame) -> pd.DataFrame:
    """Tabulate findings; only copies and leaks count patients before these are joined."""
    rows = []
    for one in found:
        table = manifest if one.check in _BEFORE_JOINING else joined
        patients = table["group"].iloc[list(one.rows)].nunique()
        images = len(one.rows) + one.unlisted
        rows.append((one.check, one.severity, images, patients, one.detail))
    return pd.DataFrame(rows, columns=MORE_TABLES["audit"])


def _images(found: list[Finding], manifest: pd.DataFrame) -> pd.DataFrame:
    parts = [
        manifest.iloc[list(one.rows)][["image", "split", "label"]].assign(finding=k)
        for k, one in enumerate(found)
        if one.check in PICTURED
    ]
    columns = MORE_TABLES["audit_images"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
