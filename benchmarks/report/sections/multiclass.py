"""Runs of more than two classes: macro averages, each class, and who is taken for whom."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.dataset import MACRO
from benchmarks.fitting.cell import PIXELS
from benchmarks.fitting.cross_validation import CV
from benchmarks.io.formatting import interval, number, thousands
from benchmarks.io.results import Results, class_names
from benchmarks.io.run_record import data_name, is_synthetic
from benchmarks.report.blocks import Block, Bullets, Cell, Section, Subheading, Table, paragraph
from benchmarks.report.method_tables import best, breaks, table_rows
from benchmarks.report.sections.limits import CAUTION, MANY, PHANTOMS, TITLE
from benchmarks.report.sections.summary import sentences, standing, unfinished
from benchmarks.statistics.method_rows import Estimate, Row, feature_sets, rows

_MACRO = (("precision", "Macro precision"), ("recall", "Macro recall"), ("f1", "Macro F1"),
          ("auc", "Macro AUC"), ("accuracy", "Accuracy"))  # fmt: skip
_EACH = (("precision", "Precision"), ("recall", "Recall"), ("specificity", "Specificity"),
         ("f1", "F1"), ("auc", "AUC"), ("average_precision", "Average precision"))  # fmt: skip
_READING = (
    "The class of the largest probability is called. Each value with its 95 % interval (bootstrap "
    "over patients); bold: the largest of its column, which describes the test and chooses nothing."
)
_MEANS = (
    "Macro: the plain mean over the classes, each against all others; macro recall is also called "
    "balanced accuracy. A value of exactly 0 or 1 stays the same however patients are drawn again: "
    "take its interval to reach 3/n inwards, n being the patients of that class (rule of three, "
    "doi:10.1001/jama.1983.03330370053031)."
)


def render(results: Results) -> Section:
    """State the run and its outcome, and tabulate macro averages and each class."""
    table = rows(results)
    text = " ".join([*sentences(results, table)[:2], outcome(results, table)])
    blocks: list[Block] = [paragraph(text), *standing(results)]
    data = data_name(results)
    blocks.append(_table(results, table, "test", MACRO, f"Test images of {data}: macro averages."))
    if (results.tables["classes"]["split"] == CV).any():
        caption = (
            "The same in a cross-validation by patient on the training images; AUC is the mean "
            "over the folds."
        )
        blocks.append(_table(results, table, CV, MACRO, caption))
    blocks.append(Subheading("Each class"))
    for name in class_names(results.manifest):
        blocks.append(_table(results, table, "test", name, _class_caption(results, name)))
    blocks += unfinished(table)
    return Section("What was run, and how well it did", tuple(blocks))


def render_confusions(results: Results) -> Section:
    """Tabulate which class is called for which, for the best method of each feature set."""
    title = "Which class is taken for which"
    chosen = leaders(results, rows(results))
    if not chosen:
        return Section(title, (paragraph("No cell finished, so no image was judged."),))
    names = class_names(results.manifest)
    chosen_by = (
        "Test images of each class by the class they were called, for the method of each feature "
        "set with the best macro average precision on validation; below each count the share of "
        "its class."
    )
    blocks: list[Block] = [paragraph(chosen_by, " ", _worst(results, chosen[0]))]
    blocks += [_matrix(results, row, k, names) for k, row in enumerate(chosen)]
    return Section(title, tuple(blocks))


def estimate(results: Results, row: Row, split: str, name: str, metric: str) -> Estimate:
    """Mean over seeds of a metric of one class, or of all (``macro``), and of its bounds.

    Parameters
    ----------
    results : Results
    row : Row
    split : str
        ``validation``, ``test`` or ``cv``.
    name : str
        A class, or ``macro``.
    metric : str
        One of ``benchmarks.io.columns.CLASS_METRICS``.
    """
    table = results.tables["classes"]
    chosen = (table["split"] == split) & (table["class"] == name) & (table["status"] == "ok")
    own = table[chosen & table["cell"].isin(row.cells())]
    value, low, high = (own[metric + end].astype(float) for end in ("", "_lo", "_hi"))
    spread = float(value.std(ddof=1)) if len(own) > 1 else math.nan
    return Estimate(float(value.mean()), float(low.mean()), float(high.mean()), spread)


def leaders(results: Results, table: Sequence[Row]) -> list[Row]:
    """Choose the row of each feature set with the best macro average precision on validation.

    The best of the feature sets comes first; the CNN, if it finished, is last.
    """

    def merit(row: Row) -> float:
        value = estimate(results, row, "validation", MACRO, "average_precision").value
        return -math.inf if math.isnan(value) else value

    chosen = []
    for features in feature_sets(table):
        own = [row for row in table if row.features == features and row.ok]
        if own:
            chosen.append(max(own, key=merit))
    networks = [row for row in table if row.features == PIXELS and row.ok]
    return [*sorted(chosen, key=merit, reverse=True), *networks]


def outcome(results: Results, table: Sequence[Row]) -> str:
    """Say in a sentence or two what the method that did best on validation reaches on test."""
    chosen = leaders(results, table)
    if not chosen:
        return "No cell finished, so there is nothing to compare."
    names = class_names(results.manifest)
    lead = chosen[0]
    why = "the method" if lead.is_cnn else "the classical method"
    text = (
        f"The task has {len(names)} classes ({', '.join(names)}), so guessing reaches a macro "
        f"recall of {number(1 / len(names))}. {lead.label}, {why} with the best macro average "
        f"precision on validation, reaches {_pair(results, lead)} on the test images"
    )
    if chosen[-1].is_cnn and not lead.is_cnn:
        text += f", and the end-to-end CNN {_pair(results, chosen[-1])}"
    return text + "."


def _pair(results: Results, row: Row) -> str:
    words = []
    for metric in ("precision", "recall"):
        one = estimate(results, row, "test", MACRO, metric)
        bounds = interval(one.low, one.high)
        words.append(f"macro {metric} {number(one.value)}{f' ({bounds})' if bounds else ''}")
    return " and ".join(words)


def _class_caption(results: Results, name: str) -> str:
    table = results.manifest
    own = table[(table["split"] == "test") & (table["class"] == name)]
    patients = own["group"].nunique()
    images = f"{thousands(len(own))} test images" if len(own) != 1 else "one test image"
    return f"{name} against all other classes: {images} of {thousands(patients)} patients."


def _table(results: Results, table: Sequence[Row], split: str, name: str, caption: str) -> Table:
    shown = _MACRO if name == MACRO else _EACH
    columns = [_column(results, table, split, name, metric) for metric, _ in shown]
    position = [MACRO, *class_names(results.manifest)].index(name)
    return Table(
        name=f"classes-{split}-{position}",
        caption=caption,
        header=("Features", "Classifier", *(title for _, title in shown)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
        note=f"{_READING} {_MEANS}" if name == MACRO else "",
        formats=("html", "markdown", "latex") if split == "test" else ("html", "markdown"),
    )


def _column(
    results: Results, table: Sequence[Row], split: str, name: str, metric: str
) -> list[Cell]:
    found = [estimate(results, row, split, name, metric) if row.ok else None for row in table]
    marks = best([one.value if one else math.nan for one in found])
    return [
        Cell(
            text=number(one.value if one else math.nan),
            detail=interval(one.low, one.high) if one else "",
            spread=f"± {number(one.spread)}" if one and math.isfinite(one.spread) else "",
            best=mark,
        )
        for one, mark in zip(found, marks, strict=True)
    ]


def _counts(results: Results, row: Row, names: list[str]) -> NDArray[np.int64]:
    """Test images of the row's first finished seed: a line a true class, a column a called one."""
    table = results.tables["confusions"]
    own = table[(table["cell"] == row.cells()[0]) & (table["split"] == "test")]
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    for one in own.to_dict("records"):
        counts[names.index(one["true"]), names.index(one["predicted"])] = one["n"]
    return counts


def _matrix(results: Results, row: Row, position: int, names: list[str]) -> Table:
    lines = []
    for name, counts in zip(names, _counts(results, row, names), strict=True):
        total = int(counts.sum())
        cells = [Cell(thousands(n), f"{100 * n / total:.0f} %" if total else "") for n in counts]
        lines.append((Cell(name), *cells, Cell(thousands(total))))
    seed = f", the first of {row.finished} seeds" if row.finished > 1 else ""
    return Table(
        name=f"confusion-{position}",
        caption=f"{row.label}{seed}: true class (rows) and called class (columns).",
        header=("True class", *(f"called {name}" for name in names), "All"),
        rows=tuple(lines),
    )


def _worst(results: Results, row: Row) -> str:
    """Name the commonest mistake of a method."""
    names = class_names(results.manifest)
    counts = _counts(results, row, names)
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return f"{row.label} makes no mistake on the test images."
    true, called = np.unravel_index(wrong.argmax(), wrong.shape)
    return (
        f"The commonest mistake of {row.label} is to call {names[true]} {names[called]}: "
        f"{thousands(wrong[true, called])} of {thousands(counts[true].sum())} images."
    )


def render_limits(results: Results) -> Section:
    """Say what must not be concluded, and what such a run leaves out."""
    points = [
        *((PHANTOMS,) if is_synthetic(results) else ()),
        "Subtypes are those of the file or folder names: how sure their diagnosis is, the images "
        "do not tell.",
        "Burned-in letters, borders and cables can betray the class. A high score is no proof "
        "that a method looked at the lungs.",
        "Intervals cover the drawing of test patients, with the fitted model held fixed.",
        MANY,
        "Curves, calibration, thresholds for a given recall, tests between methods, studies and "
        "checklists are made for two classes only: run without --task subtype for them.",
    ]
    return Section(TITLE, (paragraph(*CAUTION), Bullets(tuple((one,) for one in points))))
