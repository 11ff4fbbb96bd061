"""Class balancing ablation: its effect on ranking, operating point and calibration."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.io.formatting import interval, number, percent, thousands
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair, is_synthetic, prevalence
from benchmarks.report.blocks import (
    Block,
    Cell,
    Figure,
    Group,
    Section,
    Table,
    none_finished,
    not_included,
    paragraph,
)
from benchmarks.report.method_tables import signs, starts
from benchmarks.report.plots import draw, frame, legend, looks, name_rows
from benchmarks.statistics.equivalence import MARGINS, counts_text, jointly

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_TITLE = "Class balancing ablation"
_NONE = "none"
_SPLITS = {"cv": "in cross-validation", "test": "on the test set"}
_NAMES = {"auc": "AUC", "brier": "Brier score"}
_DIGITS = 4
_SHOWN = {
    "auc": "AUC", "recall_at_half": "Recall at 0.5", "specificity_at_half": "Specificity at 0.5",
    "slope": "Calibration slope",
}  # fmt: skip


def render(results: Results) -> Section:
    """Compare every method of class balancing with no balancing.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = results.table("ablation")
    if table.empty:
        return not_included(_TITLE, "ablation")
    done = table[table["status"] == "ok"]
    if done.empty:
        return none_finished(_TITLE, str(table.iloc[0]["reason"]))
    texts = [*answers(done), _caution(results)]
    blocks: list[Block] = [*(paragraph(text) for text in texts if text),
                           _figure(results, done), _table(table)]  # fmt: skip
    counts = results.table("resampling")
    return Section(_TITLE, (*blocks, *([_counts(counts)] if len(counts) else [])))


def answers(done: pd.DataFrame) -> list[str]:
    """Summarise the differences from no balancing, whatever their sign.

    Parameters
    ----------
    done : DataFrame
        Finished rows of the table ``ablation`` of a run.

    Returns
    -------
    list of str
        Paragraphs on ranking, operating point and calibration.
    """
    parts = [_gain_text(done, split, "auc", "Ranking") for split in _SPLITS]
    test = _against_none(done[done["split"] == "test"])
    if len(test):
        parts.append(
            "Operating point on the test set: at threshold 0.5, the median change is "
            f"{_median(test, 'recall_at_half')} in recall and "
            f"{_median(test, 'specificity_at_half')} in specificity; at the threshold for a recall "
            f"of 0.95, it is {_median(test, 'specificity')} in specificity. These medians have no "
            "intervals."
        )
    parts += [_gain_text(done, split, "brier", "Calibration") for split in _SPLITS]
    kept = [part for part in parts if part]
    return kept or ["No method of balancing could be compared with no balancing."]


def _caution(results: Results) -> str:
    train, test = (prevalence(results, split) for split in ("train", "test"))
    if math.isnan(train) or math.isnan(test):
        return ""
    return (
        f"{class_pair(results)[1]} makes up {percent(train)} of the training images and "
        f"{percent(test)} of the test images. Balancing changes the proportion that a classifier "
        "is fitted on, so its effect on calibration depends on this difference; it may be another "
        "at other proportions."
    )


def _gain_text(done: pd.DataFrame, split: str, metric: str, what: str) -> str:
    """Count what the intervals show, together, and name the largest loss."""
    own = _gains(done, split, metric)
    if own.empty:
        return ""
    gain, lower = own[f"{metric}_gain"].astype(float), " (lower is better)" * (metric == "brier")
    columns = (f"{metric}_gain", f"{metric}_gain_lo", f"{metric}_gain_hi")
    return (
        f"{what} {_SPLITS[split]}: compared with no balancing, the {_NAMES[metric]}{lower} changes "
        f"by {number(gain.median(), _DIGITS)} in the median of {len(own)} comparisons "
        f"({number(gain.min(), _DIGITS)} to {number(gain.max(), _DIGITS)}); "
        f"{counts_text(own, columns, MARGINS[metric])}. "
        f"{_most_lost(own, jointly(own, *columns), metric)}"
    )


def _most_lost(own: pd.DataFrame, joint: pd.DataFrame, metric: str) -> str:
    """Name the comparison and the method of balancing that lose most, with intervals."""
    sign, column = (-1 if metric == "brier" else 1), f"{metric}_gain"
    benefit = sign * own[column].astype(float)
    if not benefit.min() < 0:
        return "No comparison is worse than no balancing."
    worst = own.iloc[int(benefit.to_numpy().argmin())]
    together = joint[joint.index == worst.name]
    shown = bool((sign * together["hi" if sign > 0 else "lo"] < 0).any())
    what = (
        "The largest loss is" if shown else "Corrected, no loss is shown; the largest estimate is"
    )
    text = (
        f"{what} {number(worst[column], _DIGITS)}{_both(worst, together, column)}, of "
        f"{worst['features']} + {worst['model']} with {worst['balance']}"
    )
    means = benefit.groupby(own["balance"]).mean()
    if not means.min() < 0:
        return f"{text}; no method of balancing loses on average."
    mine = own[own["balance"] == means.idxmin()]
    lost = signs(mine, column)[1 if sign > 0 else 0]
    mean = number(sign * float(means.min()), _DIGITS)
    return (
        f"{text}. Of the methods of balancing, {means.idxmin()} loses most on average: {mean}, "
        f"with {lost} of {len(mine)} intervals on the side of a loss."
    )


def _both(worst: pd.Series, together: pd.DataFrame, column: str) -> str:
    """Write the interval of a difference, before and after correction; empty if it has none."""
    if together.empty:
        return ""
    one = interval(worst[f"{column}_lo"], worst[f"{column}_hi"], _DIGITS)
    corrected = interval(together["lo"].iloc[0], together["hi"].iloc[0], _DIGITS)
    return f" (95 % interval {one}; corrected {corrected})"


def _gains(done: pd.DataFrame, split: str, metric: str) -> pd.DataFrame:
    known = done[f"{metric}_gain"].notna() & (done["balance"] != _NONE)
    return done[known & (done["split"] == split)]


def _against_none(part: pd.DataFrame) -> pd.DataFrame:
    """Rows with balancing, and their differences from no balancing in ``by_`` columns."""
    key = ["features", "model"]
    metrics = ["recall_at_half", "specificity_at_half", "specificity", "brier", "ece"]
    plain = part[part["balance"] == _NONE][key + metrics]
    both = part[part["balance"] != _NONE].merge(plain, on=key, suffixes=("", "_plain"))
    return both.assign(**{f"by_{m}": both[m] - both[f"{m}_plain"] for m in metrics})


def _median(test: pd.DataFrame, metric: str) -> str:
    return number(float(test[f"by_{metric}"].median()))


def _table(table: pd.DataFrame) -> Table:
    test = table[table["split"] == "test"]
    cv = table[table["split"] == "cv"]
    crossed = dict(zip(zip(cv["features"], cv["model"], cv["balance"], strict=True), cv["auc"],
                       strict=True))  # fmt: skip
    lines, names = [], []
    for one in test.to_dict("records"):
        key = (one["features"], one["model"], one["balance"])
        names.append(key[:2])
        head = tuple(Cell(str(part)) for part in key)
        if one["status"] != "ok":
            lines.append((*head, Cell(str(one["status"]), span=9, reason=str(one["reason"]))))
            continue
        gain = Cell(number(one["auc_gain"], 4),
                    interval(one["auc_gain_lo"], one["auc_gain_hi"], 4))  # fmt: skip
        if one["balance"] == _NONE:
            gain = Cell("–")
        cells = [Cell(number(float(crossed.get(key, np.nan)))), Cell(number(one["auc"])), gain]
        rest = ("average_precision", "recall_at_half", "specificity_at_half", "specificity",
                "brier", "slope")  # fmt: skip
        lines.append((*head, *cells, *(Cell(number(float(one[name]))) for name in rest)))
    return Table(
        name="balancing",
        caption=(
            "Methods of class balancing: ranking (AUC in cross-validation and on the test set, "
            "gain in test AUC over no balancing, average precision), operating point (at threshold "
            "0.5, and specificity at the threshold for a recall of 0.95) and calibration. All but "
            "the first column of AUC are on the test set."
        ),
        header=("Features", "Classifier", "Balancing", "AUC, cv", "AUC", "Gain", "AP",
                "Recall", "Spec.", "Spec. at 0.95", "Brier", "Slope"),
        groups=(Group("", 3), Group("Ranking", 4), Group("Operating point", 3),
                Group("Calibration", 2)),
        rows=tuple(lines),
        labels=3,
        breaks=starts(names),
    )  # fmt: skip


def _counts(counts: pd.DataFrame) -> Table:
    """Training rows before and after, for the first classifier of the first feature set."""
    first = counts.iloc[0]
    own = counts[(counts["features"] == first["features"]) & (counts["model"] == first["model"])]
    labels = sorted(own["label"].unique())
    lines = []
    for balance, part in own.groupby("balance", sort=False):
        for fold, rows in part.groupby("fold"):
            by = rows.set_index("label")
            values = [by[end].get(label, 0) for label in labels for end in ("before", "after")]
            lines.append((Cell(str(balance)), Cell("train and test" if fold == 0 else str(fold)),
                          *(Cell(thousands(value)) for value in values)))  # fmt: skip
    return Table(
        name="resampling",
        caption=(
            "Training rows of each label before and after resampling, by held-out fold, for "
            f"{first['features']} + {first['model']}. resampling.csv lists all methods."
        ),
        header=("Balancing", "Held out", *(("Before", "After") * len(labels))),
        groups=(Group("", 2), *(Group(f"Label {label}", 2, str(label)) for label in labels)),
        rows=tuple(lines),
        labels=2,
        formats=("html",),
    )


def _figure(results: Results, done: pd.DataFrame) -> Figure:
    test = done[done["split"] == "test"]
    test = test if len(test) else done
    methods = list(dict.fromkeys(test["balance"]))
    sets, keys = list(dict.fromkeys(test["features"])), looks(list(dict.fromkeys(test["model"])))

    def paint(figure: MplFigure) -> None:
        grid = figure.subplots(len(sets), len(_SHOWN), squeeze=False, sharex="col", sharey=True)
        for features, places in zip(sets, grid, strict=True):
            for place, (metric, title) in zip(places, _SHOWN.items(), strict=True):
                for j, (model, look) in enumerate(keys.items()):
                    own = test[(test["features"] == features) & (test["model"] == model)]
                    shift = 0.6 * ((j + 0.5) / len(keys) - 0.5)
                    heights = [methods.index(balance) + shift for balance in own["balance"]]
                    place.plot(own[metric].astype(float), heights, look.marker, color=look.colour)
                place.locator_params(axis="x", nbins=4)
                frame(place, f"{title}\n{features}", grid="x")
            name_rows(places, methods, range(1, len(methods)))
        legend(figure, keys, marks=True)

    alt = f"{', '.join(_SHOWN.values())} of every classifier with {', '.join(methods)}."
    size = (9.2, 0.8 + (0.6 + 0.3 * len(methods)) * len(sets))
    return Figure(
        name="balancing",
        caption="Methods of class balancing on the test set. The scales differ between panels.",
        alt=alt,
        svg=draw("balancing", size, paint, alt, is_synthetic(results)),
    )
