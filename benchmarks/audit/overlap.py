"""Images and patients that an external test set shares with the data that a run was fitted on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.audit.findings import STOP, WARN
from benchmarks.audit.near_duplicates import near_copies
from benchmarks.datasets.dataset import Dataset
from benchmarks.io.columns import MORE_TABLES
from benchmarks.io.image_stack import ImageStack

EXACT, NEAR = "exact", "near"
FITTED = ("train", "validation")  # splits that models and thresholds were fitted and chosen on
COPIES = [name for name in MORE_TABLES["external_copies"] if name != "data"]
FINDINGS = MORE_TABLES["audit"]
_LISTED = 4  # images or patients that a finding lists
_WORDS = {EXACT: "identical to", NEAR: "nearly the same as"}


def find_copies(
    external: Dataset, manifest: pd.DataFrame, images: NDArray[np.uint8] | ImageStack | None
) -> pd.DataFrame:
    """Find the images of an external set that are copies of images of a run.

    Parameters
    ----------
    external : Dataset
    manifest : DataFrame
        Of the run, with the split as assigned.
    images : ndarray or ImageStack of shape (n, S, S), or None
        Images of the run, of the size of the external ones; None: near duplicates are not looked
        for.

    Returns
    -------
    DataFrame
        One row per pair: ``image`` (of the external set), ``copy_of`` (of the run), ``split`` (of
        the latter), ``kind`` (``exact``: the same content; ``near``: the same exposure) and
        ``correlation`` (of fine detail; 1 for exact copies). A pair of the same content is not
        listed as near, too.
    """
    own = external.manifest[["image", "sha256"]]
    run = manifest[["image", "sha256", "split"]].rename(columns={"image": "copy_of"})
    exact = own.merge(run, on="sha256").assign(kind=EXACT, correlation=1.0)
    parts = [exact[COPIES]]
    if images is not None:
        pairs = near_copies(external.images, images)
        first, second = (pairs[name].to_numpy(dtype=int) for name in ("first", "second"))
        near = own.iloc[first].reset_index(drop=True)
        other = run.iloc[second].reset_index(drop=True)
        same = (near["sha256"] == other["sha256"]).to_numpy()
        near = near[["image"]].join(other[["copy_of", "split"]])
        near = near.assign(kind=NEAR, correlation=pairs["correlation"].to_numpy())
        parts.append(near[~same][COPIES])
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def judge(
    external: Dataset, manifest: pd.DataFrame, copies: pd.DataFrame, patients_known: bool = True
) -> pd.DataFrame:
    """Say which copies and which patients would stop an external test.

    Parameters
    ----------
    external : Dataset
    manifest : DataFrame
        Of the run.
    copies : DataFrame
        From :func:`find_copies`.
    patients_known : bool
        Whether the run's data identify patients.

    Returns
    -------
    DataFrame
        ``check``, ``severity``, ``images``, ``patients``, ``detail``, as in ``audit.csv``. A copy
        of a training or validation image stops the test; a copy of an internal test image is a
        warning, since the two tests are then not independent. Equal identifiers of patients are a
        warning: two hospitals may number their patients alike.
    """
    lines = []
    for kind in (EXACT, NEAR):
        for splits, severity in ((FITTED, STOP), (("test",), WARN)):
            own = copies[(copies["kind"] == kind) & copies["split"].isin(splits)]
            if len(own):
                lines.append(_copied(external, own, kind, splits, severity))
    if patients_known and external.patients_known:
        lines += _patients(external, manifest)
    return pd.DataFrame(lines, columns=FINDINGS)


def _copied(
    external: Dataset, own: pd.DataFrame, kind: str, splits: tuple[str, ...], severity: str
) -> dict[str, object]:
    images = own["image"].unique()
    member = external.manifest["image"].isin(images)
    pairs = own.drop_duplicates("image").head(_LISTED)
    listed = ", ".join(
        f"{a} = {b}" if kind == EXACT else f"{a} ≈ {b}"
        for a, b in zip(pairs["image"], pairs["copy_of"], strict=True)
    )
    more = f" and {len(images) - _LISTED} more" if len(images) > _LISTED else ""
    return {
        "check": f"overlap_{kind}", "severity": severity, "images": int(member.sum()),
        "patients": external.manifest.loc[member, "group"].nunique(),
        "detail": f"{_WORDS[kind]} {' and '.join(splits)} images of the run: {listed}{more}",
    }  # fmt: skip


def _patients(external: Dataset, manifest: pd.DataFrame) -> list[dict[str, object]]:
    fitted = set(manifest.loc[manifest["split"].isin(FITTED), "group"].astype(str))
    member = external.manifest["group"].astype(str).isin(fitted)
    if not member.any():
        return []
    found = sorted(set(external.manifest.loc[member, "group"].astype(str)))
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return [{
        "check": "overlap_patient", "severity": WARN, "images": int(member.sum()),
        "patients": len(found),
        "detail": "patients with the same identifier as train or validation patients of the run: "
        f"{', '.join(found[:_LISTED])}{more}. If both sets number their patients alike, these may "
        "be other people; if not, the models have seen them.",
    }]  # fmt: skip
