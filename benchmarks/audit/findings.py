"""Audit of a data set before anything is fitted: what must stop a run, mark it, or be known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmarks.audit.checks import CHECKS, NOTE, STOP, WARN, Finding, components, gather
from benchmarks.datasets.dataset import DataError, Dataset
from benchmarks.io.columns import MORE_TABLES

SEVERITIES = (STOP, WARN, NOTE)
PICTURED = ("label_conflict", "exact_duplicate", "near_duplicate", "empty_image")
FINDINGS_SHOWN, IMAGES_SHOWN = 12, 4
_WORST = 5  # findings that an error names


@dataclass(frozen=True)
class Audit:
    """What was found.

    Attributes
    ----------
    findings : DataFrame
        ``check``, ``severity`` (stop, warn or note), ``images``, ``patients``, ``detail``: a row
        a finding, the worst first.
    images : DataFrame
        ``finding`` (position in ``findings``), ``image``, ``split`` (as found), ``label``: the
        images of each duplicate, conflict and empty image.
    duplicates : tuple of tuple of int
        Manifest rows of the same content or exposure.
    """

    findings: pd.DataFrame
    images: pd.DataFrame
    duplicates: tuple[tuple[int, ...], ...] = ()

    def count(self, severity: str) -> int:
        """Count the findings of a severity."""
        return int((self.findings["severity"] == severity).sum())


def audit(dataset: Dataset) -> Audit:
    """Run all checks on a data set whose splits are as found, before train is split further.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    Audit

    Notes
    -----
    An image, exposure or patient in test and elsewhere stops a run, and so does a content under
    two classes. A copy or patient in train and validation warns, and so do near duplicates of
    two classes; :func:`keep_together` and :func:`benchmarks.datasets.splits.assign` see to them.
    """
    evidence = gather(dataset)
    found = [finding for check in CHECKS.values() for finding in check(evidence)]
    found.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    return Audit(
        findings=_findings(found, dataset.manifest),
        images=_images(found, dataset.manifest),
        duplicates=(*evidence.exact, *evidence.near),
    )


def keep_together(manifest: pd.DataFrame, duplicates: Iterable[tuple[int, ...]]) -> pd.Series:
    """Join the patients who share an image, so that no split and no resampling parts its copies.

    Parameters
    ----------
    manifest : DataFrame
        With ``group`` and ``split`` as found.
    duplicates : iterable of tuple of int
        Positions of rows of the same content or exposure.

    Returns
    -------
    Series of str
        The group of each row: patients of train and validation, and patients of test, who share
        an image are one group, named like the first of them. Copies across test join nobody.

    Examples
    --------
    >>> table = pd.DataFrame({"group": ["b", "a", "c", "d"], "split": ["train"] * 3 + ["test"]})
    >>> keep_together(table, [(0, 1), (2, 3)]).tolist()
    ['a', 'a', 'c', 'd']
    """
    patients, number = np.unique(manifest["group"].to_numpy(dtype=str), return_inverse=True)
    in_test = (manifest["split"] == "test").to_numpy()
    pairs = [
        (number[own[0]], number[row])
        for rows in duplicates
        for own in ([r for r in rows if in_test[r]], [r for r in rows if not in_test[r]])
        for row in own[1:]
    ]
    joined = components(len(patients), np.array(pairs, dtype=np.intp).reshape(-1, 2))
    names = {patients[member]: patients[members[0]] for members in joined for member in members}
    return manifest["group"].map(lambda patient: str(names.get(patient, patient)))


def stop_or_mark(found: Audit, allow_leakage: bool = False) -> list[str]:
    """Stop a run whose data can't be trusted, or say what marks its report.

    Parameters
    ----------
    found : Audit
    allow_leakage : bool
        Go on whatever was found.

    Returns
    -------
    list of str
        Sentences for every page of the report; empty if nothing stops.

    Raises
    ------
    DataError
        If a finding stops and leakage is not allowed.
    """
    stops = found.findings[found.findings["severity"] == STOP]
    if stops.empty:
        return []
    if allow_leakage:
        checks = Counter(stops["check"].astype(str))
        listed = ", ".join(f"{n} × {check.replace('_', ' ')}" for check, n in checks.items())
        return [
            f"The audit found what would stop a run ({listed}), and it was started with "
            "--allow-leakage. Its scores can't be trusted."
        ]
    worst = stops.head(_WORST)
    lines = [f"{check}: {detail}" for check, detail in zip(worst["check"], worst["detail"],
                                                         strict=True)]  # fmt: skip
    more = [f"and {len(stops) - _WORST} more"] * (len(stops) > _WORST)
    raise DataError(
        f"The audit found {len(stops)} {'reason' if len(stops) == 1 else 'reasons'} to stop, but "
        "expected no image or patient of test elsewhere, and one class for an image:\n  "
        + "\n  ".join(lines + more)
        + "\nRemove or move these images, or give --allow-leakage to go on with a marked report."
    )


def shown(found: Audit) -> pd.DataFrame:
    """Choose the images that the report shows: four of each of the first twelve findings.

    Parameters
    ----------
    found : Audit

    Returns
    -------
    DataFrame
        Rows of ``images``.
    """
    findings = found.images["finding"].unique()[:FINDINGS_SHOWN]
    few = found.images[found.images["finding"].isin(findings)]
    return few.groupby("finding", sort=False).head(IMAGES_SHOWN)


def summary(found: Audit) -> str:
    """Say in one sentence how many findings there are of each severity.

    Examples
    --------
    >>> findings = pd.DataFrame({"severity": ["warn", "note", "note"]})
    >>> summary(Audit(findings, pd.DataFrame()))
    'Audit: 0 findings stop a run, 1 is a warning, 2 are notes.'
    """
    stops, warns, notes = (found.count(severity) for severity in SEVERITIES)
    return (
        f"Audit: {stops} {'finding stops' if stops == 1 else 'findings stop'} a run, "
        f"{warns} {'is a warning' if warns == 1 else 'are warnings'}, "
        f"{notes} {'is a note' if notes == 1 else 'are notes'}."
    )


def _findings(found: list[Finding], manifest: pd.DataFrame) -> pd.DataFrame:
    group = manifest["group"]
    rows = [
        (one.check, one.severity, len(one.rows) + one.unlisted,
         group.iloc[list(one.rows)].nunique(), one.detail)
        for one in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=MORE_TABLES["audit"])


def _images(found: list[Finding], manifest: pd.DataFrame) -> pd.DataFrame:
    parts = [
        manifest.iloc[list(one.rows)][["image", "split", "label"]].assign(finding=k)
        for k, one in enumerate(found)
        if one.check in PICTURED
    ]
    columns = MORE_TABLES["audit_images"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
