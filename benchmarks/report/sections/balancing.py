"""Balancing of the classes: what it does to ranking, operating point and calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks.io.formatting import interval, number
from benchmarks.io.results import Results
from benchmarks.io.run_record import is_synthetic
from benchmarks.report.blocks import Block, Cell, Code, Figure, Group, Section, Table, paragraph
from benchmarks.report.plots import draw, frame, legend, looks, name_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

TITLE = "Does balancing help"
NONE = "none"
_SPLITS = {"cv": "in cross-validation", "test": "on test"}
_SHOWN = {
    "auc": "AUC", "recall_at_half": "Recall at 0.5", "specificity_at_half": "Specificity at 0.5",
    "slope": "Calibration slope",
}  # fmt: skip


def render(results: Results) -> Section:
    """Answer in one paragraph, and show every method beside no balancing."""
    table = results.table("ablation")
    if table.empty:
        return Section(TITLE, (paragraph(
            "This run compared no methods of balancing; that comes with ",
            Code("--study ablation"), " or ", Code("--full"), ".",
        ),))  # fmt: skip
    done = table[table["status"] == "ok"]
    if done.empty:
        reason = str(table.iloc[0]["reason"]).rstrip(".")
        return Section(TITLE, (paragraph(f"No method of balancing could be fitted: {reason}."),))
    blocks: list[Block] = [paragraph(_answer(done)), _figure(results, done), _table(table)]
    counts = results.table("resampling")
    return Section(TITLE, (*blocks, *([_counts(counts)] if len(counts) else [])))


def _answer(done: pd.DataFrame) -> str:
    """Gains over no balancing, counted and in the median, whatever they are."""
    parts = []
    for split, where in _SPLITS.items():
        own = done[(done["split"] == split) & (done["balance"] != NONE)]
        own = own[own["auc_gain"].notna()]
        if own.empty:
            continue
        up, down = int((own["auc_gain_lo"] > 0).sum()), int((own["auc_gain_hi"] < 0).sum())
        gain = own["auc_gain"].astype(float)
        parts.append(
            f"Ranking {where}: against no balancing the AUC changes by {number(gain.median(), 4)} "
            f"in the median of {len(own)} comparisons (from {number(gain.min(), 4)} to "
            f"{number(gain.max(), 4)}); the interval lies above 0 in {up} and below 0 in {down}."
        )
    test = _against_none(done[done["split"] == "test"])
    if len(test):
        parts.append(
            "Operating point on test: at threshold 0.5 the recall changes by "
            f"{_median(test, 'recall_at_half')} and the specificity by "
            f"{_median(test, 'specificity_at_half')} in the median, at the threshold chosen for a "
            f"recall of 0.95 the specificity by {_median(test, 'specificity')}."
        )
    for split, where in _SPLITS.items():
        own = _against_none(done[done["split"] == split])
        if len(own):
            parts.append(
                f"Calibration {where}: the Brier score changes by {_median(own, 'brier')} (lower "
                f"is better; better beyond its interval in {int((own['brier_gain_hi'] < 0).sum())} "
                f"and worse in {int((own['brier_gain_lo'] > 0).sum())} of {len(own)}), the "
                f"calibration error by {_median(own, 'ece')}."
            )
    parts.append(_verdict(done))
    return " ".join(parts)


def _verdict(done: pd.DataFrame) -> str:
    signs = []
    for split in _SPLITS:
        own = done[(done["split"] == split) & done["auc_gain"].notna() & (done["balance"] != NONE)]
        if len(own):
            up = float((own["auc_gain_lo"] > 0).mean())
            down = float((own["auc_gain_hi"] < 0).mean())
            signs.append(1 if up > 0.5 else -1 if down > 0.5 else 0)
    if not signs:
        return "Nothing can be said of balancing: no method stands beside no balancing."
    if all(sign == 1 for sign in signs):
        return "So most methods of balancing make the ranking better here."
    if all(sign == -1 for sign in signs):
        return "So most methods of balancing make the ranking worse here."
    return (
        "So balancing has no consistent effect on the ranking here; what it moves at threshold "
        "0.5, a choice of threshold can move, too. Scores that balancing lowers fit a split with "
        "fewer positives than the training images better for that reason alone."
    )


def _against_none(part: pd.DataFrame) -> pd.DataFrame:
    """Rows with a method of balancing, with the differences to no balancing as ``by_`` columns."""
    key = ["features", "model"]
    metrics = ["recall_at_half", "specificity_at_half", "specificity", "brier", "ece"]
    plain = part[part["balance"] == NONE][key + metrics]
    both = part[part["balance"] != NONE].merge(plain, on=key, suffixes=("", "_plain"))
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
            lines.append((*head, Cell(f"{one['status']}: {one['reason']}", span=9)))
            continue
        cells = [Cell(number(float(crossed.get(key, np.nan)))), Cell(number(one["auc"])),
                 Cell(number(one["auc_gain"], 4),
                      interval(one["auc_gain_lo"], one["auc_gain_hi"], 4))]  # fmt: skip
        rest = ("average_precision", "recall_at_half", "specificity_at_half", "specificity",
                "brier", "slope")  # fmt: skip
        lines.append((*head, *cells, *(Cell(number(float(one[name]))) for name in rest)))
    return Table(
        name="balancing",
        caption=(
            "Methods of balancing: ranking (AUC in cross-validation and on test, its gain over no "
            "balancing on test, average precision), operating point (at threshold 0.5, and "
            "specificity at the threshold for a recall of 0.95) and calibration, on test."
        ),
        header=("Features", "Classifier", "Balancing", "AUC, cv", "AUC", "Gain", "AP",
                "Recall", "Spec.", "Spec. at 0.95", "Brier", "Slope"),
        groups=(Group("", 3), Group("Ranking", 4), Group("Operating point", 3),
                Group("Calibration", 2)),
        rows=tuple(lines),
        labels=3,
        breaks=tuple(k for k in range(1, len(names)) if names[k] != names[k - 1]),
    )  # fmt: skip


def _counts(counts: pd.DataFrame) -> Table:
    """Rows before and after: the first classifier of the first feature set, each method."""
    first = counts.iloc[0]
    own = counts[(counts["features"] == first["features"]) & (counts["model"] == first["model"])]
    labels = sorted(own["label"].unique())
    lines = []
    for balance, part in own.groupby("balance", sort=False):
        for fold, rows in part.groupby("fold"):
            by = rows.set_index("label")
            values = [by[end].get(label, 0) for label in labels for end in ("before", "after")]
            lines.append((Cell(str(balance)), Cell("all" if fold == 0 else str(fold)),
                          *(Cell(f"{int(value):,}") for value in values)))  # fmt: skip
    return Table(
        name="resampling",
        caption=(
            "Training rows of each label before and after resampling, by fold held out (all: the "
            f"official split), for {first['features']} + {first['model']}; resampling.csv has all."
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

    alt = _answer(done)
    return Figure(
        name="balancing",
        caption="Every method of balancing on test images. The scales differ between panels.",
        alt=alt,
        svg=draw(
            "balancing",
            (9.2, 0.8 + (0.6 + 0.3 * len(methods)) * len(sets)),
            paint,
            alt,
            is_synthetic(results),
        ),
    )
