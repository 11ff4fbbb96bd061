"""An external test set: read, with the classes of the run, and audited with the run's images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import datasets
from benchmarks.audit.checks import audit
from benchmarks.audit.findings import SEVERITIES, STOP, Audit, counted, reasons, summary
from benchmarks.audit.overlap import find_copies, judge
from benchmarks.audit.patient_groups import joined_notes, keep_together
from benchmarks.config import READING, RunConfig
from benchmarks.datasets.dataset import DataError, Dataset, take
from benchmarks.datasets.names.class_names import is_known_negative, normalised
from benchmarks.datasets.splits import ALL
from benchmarks.extraction.prepare import reading_size, thumbnails_of
from benchmarks.io import provenance
from benchmarks.io.image_stack import ImageStack
from features.preprocessing.typical_images import MOST, Thumbnails

# Settings of a run that also say how to read a test set of the same kind; the others (where its
# images are, how they are split) belong to one set.
SHARED = (
    "columns", "label", "positive", "negative", "class_names", "uncertain", "patient_pattern",
    "where", "keep_laterals",
)  # fmt: skip
_CLASS_OPTIONS = ("positive", "negative")
TEST = "test"


@dataclass(frozen=True)
class ExternalSet:
    """A data set that the fitted cells of a run score.

    Attributes
    ----------
    name : str
        Short name, as the user gave it.
    dataset : Dataset
        All its images are in the split test; the patients of copied images are joined.
    findings : DataFrame
        As ``audit.csv``: of the set itself, and what it shares with the run's images.
    copies : DataFrame
        From :func:`benchmarks.audit.overlap.find_copies`.
    leakage : str
        Sentence for every page of the report; empty if no finding stops a test.
    only_test : bool
        Whether only the set's own test split was used.
    compared : bool
        Whether near duplicates of the run's images were looked for.
    """

    name: str
    dataset: Dataset
    findings: pd.DataFrame
    copies: pd.DataFrame
    leakage: str
    only_test: bool
    compared: bool

    def summary(self) -> str:
        """Say in a sentence what the set holds and what was found.

        Returns
        -------
        str
        """
        manifest = self.dataset.manifest
        counts = Audit(self.findings, pd.DataFrame())
        return (
            f"{len(manifest):,} images of {manifest['group'].nunique():,} patients, "
            f"{int(manifest['label'].sum()):,} of them {self.dataset.classes[1]}. {summary(counts)}"
        )

    def record(self) -> dict[str, Any]:
        """Describe the set for ``run.json``.

        Returns
        -------
        dict
        """
        own = self.dataset
        return {
            "name": own.name, "synthetic": own.synthetic, "licence": own.licence,
            "citation": own.citation, "classes": list(own.classes), "notes": list(own.notes),
            "limitations": list(own.limitations), "leakage": self.leakage,
            "fingerprint": provenance.fingerprint(own.manifest),
            "left_out": own.left_out.to_dict("records"), "groups_known": own.patients_known,
            "only_test": self.only_test, "compared": self.compared,
        }  # fmt: skip


def shared_reading(config: RunConfig, data: str) -> dict[str, Any]:
    """Select the run's settings on reading that apply to a test set, too.

    Parameters
    ----------
    config : RunConfig
        Of the run.
    data : str
        ``data`` of the test set.

    Returns
    -------
    dict
        By field of ``RunConfig``; empty if the test set is of another kind than the run's data.
    """
    if datasets.kind(data) != datasets.kind(config.data):
        return {}
    return {name: getattr(config, name) for name in SHARED}


def read_external(
    config: RunConfig,
    data: str,
    reading: Mapping[str, Any],
    classes: Sequence[str],
    *,
    only_test: bool = False,
) -> Dataset:
    """Read a test set as the run read its data, with all its images in the split test.

    Parameters
    ----------
    config : RunConfig
        Of the run.
    data : str
        What ``--data`` of a run takes.
    reading : mapping
        Settings on how it is read, by field of ``RunConfig``; defaults where not given.
    classes : sequence of two str
        Negative and positive class of the run.
    only_test : bool
        Whether to leave out images that are not in the set's own test split.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the set can't be read, lacks a class, or has classes of other names and the settings do
        not say which is positive.
    """
    plain = {name: RunConfig.model_fields[name].default for name in READING}
    takes = datasets.reading_options(data)
    # The names of classes are not read by every data set, but can be said of each.
    given = {key: value for key, value in reading.items()
             if key in takes or key not in _CLASS_OPTIONS}  # fmt: skip
    if not only_test and "test_fraction" in takes:
        given = {**given, "split": None, "test_fraction": ALL}
    own = config.model_copy(update={**plain, **given, "data": data})
    dataset = datasets.load(own, reading_size(config))
    said = tuple(reading.get("positive", ()))
    if len(dataset.classes) != 2:
        raise DataError(
            f"--data {data}: got {len(dataset.classes)} classes, but an external test needs two. "
            "Give --positive and --negative."
        )
    if not (said and "positive" in takes):
        _check_classes(data, dataset, classes, said)
    if only_test:
        dataset = take(dataset, np.flatnonzero(dataset.manifest["split"] == TEST))
    dataset = replace(dataset, manifest=dataset.manifest.assign(split=TEST))
    present = set(dataset.manifest["label"].tolist())
    if present != {0, 1}:
        where = "its test split" if only_test else "it"
        raise DataError(
            f"--data {data}: found {len(dataset.manifest)} images of "
            f"{len(present)} class{'es' * (len(present) != 1)} in {where}, but expected images of "
            f"{' and '.join(dataset.classes)}. Give a set with both classes."
        )
    return dataset


def audit_external(
    name: str,
    dataset: Dataset,
    manifest: pd.DataFrame,
    known: Dataset | None,
    *,
    patients_known: bool = True,
    allow_leakage: bool = False,
    only_test: bool = False,
) -> ExternalSet:
    """Audit a test set, alone and against the images of the run, before anything is scored.

    Parameters
    ----------
    name : str
    dataset : Dataset
        From :func:`read_external`.
    manifest : DataFrame
        Of the run, with the split as assigned.
    known : Dataset or None
        The run's data as read; None if they can't be read.
    patients_known : bool
        Whether the run's data identify patients.
    allow_leakage : bool
        Whether to score the set whatever was found, and mark it.
    only_test : bool
        As for :func:`read_external`.

    Returns
    -------
    ExternalSet

    Raises
    ------
    DataError
        If a finding stops the test and leakage is not allowed.
    """
    own = audit(dataset, None if known is None else _training(known, manifest))
    copies = find_copies(dataset, manifest, None if known is None else known.images)
    shared = judge(dataset, manifest, copies, patients_known)
    parts = [table for table in (shared, own.findings) if len(table)]
    findings = pd.concat(parts, ignore_index=True) if parts else own.findings
    rank = findings["severity"].map(SEVERITIES.index)
    findings = findings.iloc[np.argsort(rank.to_numpy(dtype=int), kind="stable")]
    leakage = _stop_or_mark(name, findings, allow_leakage)
    group = keep_together(dataset.manifest, own.duplicates)
    notes = joined_notes(dataset.manifest["group"], group) if dataset.patients_known else []
    joined = replace(
        dataset,
        manifest=dataset.manifest.assign(group=group),
        notes=(*dataset.notes, *notes),
    )
    return ExternalSet(
        name, joined, findings.reset_index(drop=True), copies, leakage, only_test,
        known is not None,
    )  # fmt: skip


def _training(known: Dataset, manifest: pd.DataFrame) -> Thumbnails:
    """Thumbnails of training images of the run, as many as a model of them is fitted on."""
    train = manifest.loc[manifest["split"] == "train", "image"]
    rows = np.flatnonzero(known.manifest["image"].isin(train))
    chosen = np.sort(np.random.default_rng(0).permutation(rows)[:MOST])
    return thumbnails_of(ImageStack.of(known.images).take(chosen))


def _check_classes(
    data: str, dataset: Dataset, classes: Sequence[str], said: Sequence[str]
) -> None:
    """Refuse classes of other names, unless the user said which is positive."""
    (negative, positive), (ours, theirs) = classes, dataset.classes
    same = normalised(positive) == normalised(theirs) and (
        normalised(negative) == normalised(ours)
        or (is_known_negative(negative) and is_known_negative(ours))
    )
    if same or normalised(theirs) in map(normalised, said):
        return
    raise DataError(
        f"--data {data}: got the classes {ours} (negative) and {theirs} (positive), but expected "
        f"those of the run, {negative} and {positive}. If {theirs} is to count as {positive}, say "
        f"so: evaluate RUN_DIR --data NAME={data} --positive {theirs!r}."
    )


def _stop_or_mark(name: str, findings: pd.DataFrame, allow_leakage: bool) -> str:
    stops = findings[findings["severity"] == STOP]
    if stops.empty:
        return ""
    if allow_leakage:
        return (
            f"The external test set {name} has findings that stop a test ({counted(stops)}), and "
            "was scored with --allow-leakage. Its scores can't be trusted."
        )
    raise DataError(
        f"The audit of the test data {name} found "
        f"{reasons(stops, 'no image that the run was fitted on')}"
        "\nRemove these images, or continue with --allow-leakage and a marked report."
    )
