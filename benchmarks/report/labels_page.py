"""The report of a run of several labels: one table per label, from ``labels.csv`` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.fitting.cell import PIXELS
from benchmarks.io.formatting import thousands
from benchmarks.io.results import Results, read_labels, read_tables
from benchmarks.report.blocks import (
    Block,
    Bullets,
    Cell,
    Code,
    Link,
    Part,
    Section,
    Table,
    note,
    paragraph,
)
from benchmarks.report.method_tables import column, starts
from benchmarks.report.writers import write_pages
from benchmarks.statistics.method_rows import Estimate

METRICS = {
    "precision": "Precision", "recall": "Recall", "specificity": "Specificity", "auc": "AUC",
    "average_precision": "Average precision",
}  # fmt: skip


def write_labels_report(folder: Path) -> None:
    """Write ``report.html`` and ``report.md`` of a run of several labels.

    Parameters
    ----------
    folder : Path
        With ``labels.json`` and ``labels.csv``.

    Raises
    ------
    RunError
        If one of them is missing or unreadable.
    """
    record = read_labels(folder)
    table = read_tables(folder, ("labels",))["labels"]
    sections = {"labels": _overview(record, table)}
    groups = table.groupby("label_name", sort=False)
    for k, (label, rows) in enumerate(groups, start=1):
        sections[f"label-{k}"] = _section(k, str(label), rows)
    empty = pd.DataFrame()
    results = Results(folder, record, empty, empty, empty, empty, empty, empty)
    name = record.get("data", {}).get("name", "")
    write_pages(results, f"{name}: {table['label_name'].nunique()} labels", sections)


def _overview(record: dict[str, Any], table: pd.DataFrame) -> Section:
    first = table.drop_duplicates("label_name").to_dict("records")
    lines: list[tuple[Cell, ...]] = []
    for one in first:
        counts = [one[key] for key in ("images", "positives", "n", "n_positive")]
        if any(pd.isna(counts)):
            state = str(one["status"]).replace("_", " ")
            lines.append((Cell(one["label_name"]), Cell(state, span=4, reason=one["reason"])))
        else:
            lines.append((Cell(one["label_name"]), *(Cell(thousands(c)) for c in counts)))
    blocks: list[Block] = [
        paragraph(
            "Each label is a benchmark of its own, with a report of its own. The test split is the "
            "same for all. An image whose value of a label is not used is left out for that label "
            "only. Scores of different labels are not compared here: their images and prevalence "
            "differ."
        ),
        Table(
            name="labels",
            caption="Images and positive images of each label.",
            header=("Label", "Images", "Positive", "Test images", "Positive"),
            rows=tuple(lines),
            words=True,
        ),
    ]
    if notes := record.get("data", {}).get("notes", []):
        blocks.append(Bullets(tuple((str(one),) for one in notes)))
    return Section("Labels", tuple(blocks))


def _section(number: int, label: str, rows: pd.DataFrame) -> Section:
    cells = rows[rows["cell"] != ""]
    url = f"{rows['folder'].iloc[0]}/report.html"
    if cells.empty:
        status, reason = rows["status"].iloc[0], rows["reason"].iloc[0]
        state = str(status).replace("_", " ").capitalize()
        return Section(label, (note(f"{state}: {reason}"),))
    seeds = cells["seed"].nunique() > 1
    shown = [_column(cells, metric) for metric in METRICS]
    lines = []
    for k, one in enumerate(cells.to_dict("records")):
        names = ["CNN", "end to end"] if one["features"] == PIXELS else [
            one["features"], one["model"]
        ]  # fmt: skip
        names += [f"{one['seed']:.0f}" if pd.notna(one["seed"]) else ""] * seeds
        values = [values[k] for values in shown]
        if one["status"] != "ok":
            state = str(one["status"]).replace("_", " ")
            values = [Cell(state, span=len(METRICS), reason=one["reason"])]
        lines.append((*map(Cell, names), *values))
    done = cells[cells["status"] == "ok"]
    parts: list[Part] = []
    if len(done):
        size, positives = (thousands(done[key].iloc[0]) for key in ("n", "n_positive"))
        parts = [f"{size} test images, {positives} of them positive. "]
    table = Table(
        name=f"label-{number}",
        caption=(
            f"{label}: test images, at the largest threshold with recall ≥ 0.95 on the validation "
            "images of this label, with 95 % intervals over patients, which include the "
            "uncertainty of the threshold. AUC and average precision do not depend on it."
        ),
        header=("Features", "Classifier", *["Seed"] * seeds, *METRICS.values()),
        rows=tuple(lines),
        labels=2 + seeds,
        breaks=starts(cells["features"].tolist()),
    )
    text = paragraph(*parts, "Full report: ", Link(url, url), ". Run folder: ",
                     Code(str(rows["folder"].iloc[0])), ".")  # fmt: skip
    return Section(label, (text, table))


def _column(cells: pd.DataFrame, metric: str) -> list[Cell]:
    names = [metric, f"{metric}_lo", f"{metric}_hi"]
    values = cells[names].where(cells["status"] == "ok").astype(float).to_numpy()
    return column(
        [Estimate(value, low, high, float("nan")) for value, low, high in values.tolist()]
    )
