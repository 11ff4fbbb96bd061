"""Results by patient: AUC and average precision of a patient's mean and maximum score."""

from __future__ import annotations

import pandas as pd

from benchmarks.io.formatting import interval, join_words, number, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair
from benchmarks.report.blocks import Group, Section, Table, paragraph, text_section
from benchmarks.report.method_tables import (
    Lines,
    breaks,
    first_seed,
    lines_of,
    measured,
    table_rows,
    value_cells,
)
from benchmarks.statistics.equivalence import MARGINS, counts_text
from benchmarks.statistics.method_rows import Row, classical, validation_precision
from benchmarks.statistics.patients import LEVELS

TITLE = "Results by patient"
_TITLES = {"image": "Images", "mean": "Patients, mean score", "maximum": "Patients, maximum score"}
_METRICS = (("auc", "AUC"), ("average_precision", "Average precision"))
_CAUTION = (
    "The maximum of many scores is higher than that of few, whatever the images show; if patients "
    "of one class have more images, as those with a disease do in some data, this alone changes "
    "the AUC of the maximum. Average precision depends on the proportion of positives, which "
    "differs between images and patients."
)


def render(results: Results) -> Section:
    """Compare results by image and by patient.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = measured(results, "patients")
    if not table:
        return text_section(TITLE, "No cell finished, or the run folder has no patients.csv.")
    if not results.run.get("data", {}).get("groups_known", True):
        return text_section(TITLE, "The patients of most images are unknown.")
    lines = lines_of(results, "patients", ["level"])
    text = f"{_counts(results)} {_sentence(table, lines)} {_CAUTION}{first_seed(table)}"
    return Section(TITLE, (paragraph(text), _table(table, lines)))


def _counts(results: Results) -> str:
    test = results.manifest[results.manifest["split"] == "test"]
    classes = test.groupby("group")["label"].agg(["max", "nunique", "size"])
    names = class_pair(results)
    mixed = int((classes["nunique"] > 1).sum())
    several = int((classes["size"] > 1).sum())
    return (
        f"The test set has {thousands(len(test))} images of {thousands(len(classes))} patients, "
        f"{thousands(several)} of them with several images. A patient's score is the mean or the "
        "maximum of the scores of the patient's images. A patient with an image of "
        f"{names[1]} is positive, also with {names[0]} images beside it "
        f"({mixed or 'none'} of these patients); so "
        f"{thousands(int(classes['max'].sum()))} patients are positive."
    )


def _sentence(table: list[Row], lines: Lines) -> str:
    lead = max(classical(table) or table, key=validation_precision)
    found = {level: lines[lead.label, level].iloc[0] for level in LEVELS
             if (lead.label, level) in lines}  # fmt: skip
    areas = {
        level: f"{number(one['auc'])} ({interval(one['auc_lo'], one['auc_hi'])})"
        for level, one in found.items()
    }
    words = {"image": "by image", "mean": "by a patient's mean score",
             "maximum": "by a patient's maximum score"}  # fmt: skip
    text = f"{lead.label}, with the highest average precision on the validation set, has a test "
    text += f"AUC of {join_words([f'{value} {words[level]}' for level, value in areas.items()])}."
    for level in LEVELS[1:]:
        own = pd.concat([one for (_, at), one in lines.items() if at == level])
        counts = counts_text(own, ("difference", "lo", "hi"), MARGINS["auc"])
        text += f" The AUC {words[level]} minus that by image: {counts}."
    return text


def _table(table: list[Row], lines: Lines) -> Table:
    columns = [
        value_cells([lines.get((row.label, level)) for row in table], metric,
                    (f"{metric}_lo", f"{metric}_hi"))
        for level in LEVELS
        for metric, _ in _METRICS
    ]  # fmt: skip
    return Table(
        name="patients",
        caption=(
            "AUC and average precision on the test set, of images and of patients, with 95 % "
            "intervals (bootstrap over patients)."
        ),
        header=("Features", "Classifier", *([title for _, title in _METRICS] * len(LEVELS))),
        groups=(Group("", 2), *(Group(_TITLES[one], len(_METRICS), one) for one in LEVELS)),
        rows=table_rows(table, columns),
        labels=2,
        breaks=breaks(table),
    )
