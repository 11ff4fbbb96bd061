"""Sections of runs with more than two classes: macro averages, each class, confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.datasets.dataset import MACRO
from benchmarks.fitting.cross_validation import CV
from benchmarks.io.formatting import number, thousands
from benchmarks.io.results import Results, class_names
from benchmarks.io.run_record import data_name
from benchmarks.report.blocks import Block, Bullets, Cell, Section, Subheading, Table, paragraph
from benchmarks.report.method_tables import breaks, column, table_rows
from benchmarks.report.sections.limits import CAUTION, MANY, data_limitations, drawn_again
from benchmarks.report.sections.limits import TITLE as LIMITATIONS
from benchmarks.report.sections.summary import (
    TITLE,
    estimates_text,
    sentences,
    standing,
    unfinished,
)
from benchmarks.statistics.method_rows import Estimate, Row, leaders, rows

_MACRO = (("precision", "Macro precision"), ("recall", "Macro recall"), ("f1", "Macro F1"),
          ("auc", "Macro AUC"), ("accuracy", "Accuracy"))  # fmt: skip
_EACH = (("precision", "Precision"), ("recall", "Recall"), ("specificity", "Specificity"),
         ("f1", "F1"), ("auc", "AUC"), ("average_precision", "Average precision"))  # fmt: skip
_READING = (
    "The predicted class has the largest probability. Values have 95 % intervals over "
    "patients. Bold: largest value of the column on the test set; nothing is selected by it."
)
_MEANS = (
    "Macro: the unweighted mean over the classes, each against all others; macro recall is also "
    "called balanced accuracy."
)


def render(results: Results) -> Section:
    """Summarise the run and tabulate macro averages and each class.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = rows(results)
    text = " ".join([*sentences(results, table)[:2], _outcome(results, table)])
    blocks: list[Block] = [paragraph(text), *standing(results)]
    data = data_name(results)
    blocks.append(_table(results, table, "test", MACRO, f"Test images of {data}: macro averages."))
    if (results.tables["classes"]["split"] == CV).any():
        caption = (
            "Macro averages in cross-validation by patient on the training images; AUC is the "
            "mean over folds."
        )
        blocks.append(_table(results, table, CV, MACRO, caption))
    blocks.append(Subheading("Each class"))
    for name in class_names(results.manifest):
        blocks.append(_table(results, table, "test", name, _class_caption(results, name)))
    blocks += unfinished(table)
    return Section(TITLE, tuple(blocks))


def render_confusions(results: Results) -> Section:
    """Tabulate the confusion matrix of the best method of each feature set.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    title = "Confusion matrices"
    chosen = _leaders(results, rows(results))
    if not chosen:
        return Section(title, (paragraph("No cell finished, so there are no predictions."),))
    names = class_names(results.manifest)
    caption = (
        "Test images of each class by predicted class, for the method of each feature set with "
        "the best macro average precision on the validation set; below each count, the proportion "
        "of its class."
    )
    blocks: list[Block] = [paragraph(caption, " ", _worst(results, chosen[0]))]
    blocks += [_matrix(results, row, k, names) for k, row in enumerate(chosen)]
    return Section(title, tuple(blocks))


def _estimate(results: Results, row: Row, split: str, name: str, metric: str) -> Estimate:
    """Average a metric of a class, or of all classes (``macro``), and its bounds over seeds."""
    table = results.tables["classes"]
    chosen = (table["split"] == split) & (table["class"] == name) & (table["status"] == "ok")
    own = table[chosen & table["cell"].isin(row.cells())]
    value, low, high = (own[metric + end].astype(float) for end in ("", "_lo", "_hi"))
    spread = float(value.std(ddof=1)) if len(own) > 1 else math.nan
    return Estimate(float(value.mean()), float(low.mean()), float(high.mean()), spread)


def _leaders(results: Results, table: Sequence[Row]) -> list[Row]:
    """Select the best method of each feature set by macro average precision on validation.

    The best of all comes first; the CNN, if it finished, is last.
    """

    def _merit(row: Row) -> float:
        value = _estimate(results, row, "validation", MACRO, "average_precision").value
        return -math.inf if math.isnan(value) else value

    return sorted(leaders(table, _merit), key=lambda row: (row.is_cnn, -_merit(row)))


def _outcome(results: Results, table: Sequence[Row]) -> str:
    """State the test result of the method that is best on the validation set."""
    chosen = _leaders(results, table)
    if not chosen:
        return "No cell finished, so there is nothing to compare."
    names = class_names(results.manifest)
    lead = chosen[0]
    why = "the method" if lead.is_cnn else "the classical method"
    text = (
        f"The task has {len(names)} classes ({', '.join(names)}); random guessing has a macro "
        f"recall of {number(1 / len(names))}. {lead.label}, {why} with the best macro average "
        f"precision on the validation set, reaches {_reached(results, lead)} on the test images"
    )
    if chosen[-1].is_cnn and not lead.is_cnn:
        text += f", and the end-to-end CNN {_reached(results, chosen[-1])}"
    return text + "."


def _reached(results: Results, row: Row) -> str:
    return estimates_text({
        f"macro {metric}": _estimate(results, row, "test", MACRO, metric)
        for metric in ("precision", "recall")
    })  # fmt: skip


def _class_caption(results: Results, name: str) -> str:
    table = results.manifest
    own = table[(table["split"] == "test") & (table["class"] == name)]
    patients = own["group"].nunique()
    images = f"{thousands(len(own))} test images" if len(own) != 1 else "one test image"
    return f"{name} against all other classes: {images} of {thousands(patients)} patients."


def _table(results: Results, table: Sequence[Row], split: str, name: str, caption: str) -> Table:
    shown = _MACRO if name == MACRO else _EACH
    columns = [
        column([_estimate(results, row, split, name, metric) for row in table])
        for metric, _ in shown
    ]
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


def _counts(results: Results, row: Row, names: list[str]) -> NDArray[np.int64]:
    """Count test images of the first finished seed by true class (rows) and predicted class."""
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
        caption=f"{row.label}{seed}: true class (rows) and predicted class (columns).",
        header=("True class", *(f"Predicted {name}" for name in names), "All"),
        rows=tuple(lines),
    )


def _worst(results: Results, row: Row) -> str:
    """Name the most frequent error of a method."""
    names = class_names(results.manifest)
    counts = _counts(results, row, names)
    wrong = counts - np.diag(np.diag(counts))
    if not wrong.any():
        return f"{row.label} classifies all test images correctly."
    true, predicted = np.unravel_index(wrong.argmax(), wrong.shape)
    return (
        f"The most frequent error of {row.label} is to predict {names[predicted]} for "
        f"{names[true]}: {thousands(wrong[true, predicted])} of {thousands(counts[true].sum())} "
        "images."
    )


def render_limits(results: Results) -> Section:
    """List the limitations, and what is computed for two classes only.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    points = [
        *data_limitations(results),
        "Classes are those of the data's names or labels; how certain their diagnosis is, is "
        "unknown.",
        "Intervals reflect the sampling of test patients only; the fitted model is held fixed.",
        MANY,
        *drawn_again(results),
        "Curves, calibration, thresholds for a given recall, tests between methods, studies and "
        "checklists are available for two classes only: run without --task subtype.",
    ]
    return Section(LIMITATIONS, (paragraph(*CAUTION), Bullets(tuple((one,) for one in points))))
