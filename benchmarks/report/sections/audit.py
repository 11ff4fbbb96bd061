"""Data audit: duplicates, leaks, label conflicts and other problems found before fitting."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from benchmarks.audit.findings import STOP, Audit, summary
from benchmarks.io.formatting import thousands
from benchmarks.io.results import Results
from benchmarks.io.run_files import read_png
from benchmarks.io.run_record import classes
from benchmarks.report.blocks import (
    Block,
    Picture,
    Pictures,
    Section,
    Table,
    note,
    paragraph,
    row,
    text_section,
)
from benchmarks.run.exploration import thumbnail_name

SHOWN = 40
_NAMES = {
    "label_conflict": "Label conflict",
    "patient_leak": "Patient in two splits",
    "exact_duplicate": "Exact duplicate",
    "near_duplicate": "Near duplicate",
    "empty_image": "Empty image",
    "reversed_polarity": "Reversed polarity",
    "turned": "Turned picture",
    "unlike": "Unusual picture",
    "file_property": "File property",
    "class_mark": "Class marker",
    "unreadable": "Unreadable",
    "small_split": "Small split",
    "counts": "Counts",
}


def render(results: Results) -> Section:
    """List the findings of the audit, most severe first, with images of the duplicates.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Data audit"
    findings, images = (results.table(name) for name in ("audit", "audit_images"))
    if findings.empty:
        return text_section(title, "The run folder has no data audit.")
    text = paragraph(_text(findings))
    stops = bool((findings["severity"] == STOP).any())
    blocks: list[Block] = [note(*text.parts) if stops else text, _table(findings)]
    return Section(title, (*blocks, *_thumbnails(results, findings, images)))


def _text(findings: pd.DataFrame) -> str:
    text = summary(Audit(findings, pd.DataFrame()))
    if (findings["severity"] == STOP).any():
        text += " The run continued because leakage was allowed; its scores can't be trusted."
    copies = findings[findings["check"].isin(["exact_duplicate", "near_duplicate"])]
    if copies.empty:
        return f"{text} No image has an exact or near duplicate."
    groups = copies["check"].value_counts()
    exact, near = (groups.get(f"{kind}_duplicate", 0) for kind in ("exact", "near"))
    crossing = (copies["severity"] == STOP).sum()
    where = (
        "none of them has images both in the test split and outside it"
        if crossing == 0
        else f"{thousands(crossing)} of them have images both in the test split and outside it"
    )
    return (
        f"{text} Groups of exact duplicates: {thousands(exact)}; of near duplicates: "
        f"{thousands(near)}; {where}. The patients of a group count as one patient, within the "
        "test split and within the other splits."
    )


def _table(findings: pd.DataFrame) -> Table:
    lines = tuple(
        row(_NAMES.get(str(one["check"]), str(one["check"])), one["severity"], str(one["detail"]),
            thousands(one["images"]), thousands(one["patients"]))
        for one in findings.head(SHOWN).to_dict("records")
    )  # fmt: skip
    rest = findings.iloc[SHOWN:]
    counts = Counter(zip(rest["check"].astype(str), rest["severity"].astype(str), strict=True))
    more = ", ".join(
        f"{thousands(n)} × {_NAMES.get(check, check).lower()} ({severity})"
        for (check, severity), n in counts.items()
    )
    return Table(
        name="audit",
        caption="Findings, most severe first. A group of duplicates is one finding.",
        header=("Finding", "Severity", "Detail", "Images", "Patients"),
        rows=lines,
        labels=3,
        words=True,
        note=f"Not shown: {more}; audit.csv lists all findings." if more else "",
    )


def _thumbnails(results: Results, findings: pd.DataFrame, images: pd.DataFrame) -> list[Block]:
    blocks: list[Block] = []
    named = dict(enumerate(classes(results)))
    for number, part in images.groupby("finding", sort=True):
        items = []
        for one in part.to_dict("records"):
            data = read_png(results.folder, thumbnail_name(str(one["image"])))
            if data is not None:
                label = named.get(one["label"], one["label"])
                items.append(Picture(data, str(one["image"]), f"{one['split']}, {label}"))
        if items and len(blocks) < SHOWN:
            finding = findings.iloc[int(str(number))]
            name = _NAMES.get(str(finding["check"]), str(finding["check"]))
            blocks.append(Pictures(f"{name} ({finding['severity']}).", tuple(items)))
    return blocks
