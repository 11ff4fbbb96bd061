"""Pairwise comparisons of all methods on the test set: AUC, specificity, precision, decisions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.io.formatting import interval, number, p_value
from benchmarks.io.results import Results
from benchmarks.io.run_record import class_pair, is_synthetic
from benchmarks.report.blocks import (
    Bullets,
    Cell,
    Figure,
    Group,
    Part,
    Section,
    Subheading,
    Table,
    note,
    paragraph,
    text_section,
)
from benchmarks.report.method_tables import SELECTED, breaks
from benchmarks.report.plots import draw
from benchmarks.statistics.method_rows import (
    Row,
    classical,
    finished,
    leaders,
    leaders_caption,
    on_features,
    validation_precision,
)
from benchmarks.statistics.split_scores import CHOSEN_POINT

if TYPE_CHECKING:
    from matplotlib.figure import Figure as MplFigure

_TITLE = "Pairwise comparisons"
_LEVEL = 0.05
_MOST_NAMES = 8
_NOTHING = (
    "The run has no table of comparisons. Fewer than two methods finished, the run was "
    "interrupted, or an older version of the program wrote it."
)


class _Pairs(NamedTuple):
    """Every pair of methods, in both directions, by the first finished cell of each method."""

    methods: list[Row]
    clustered: pd.DataFrame
    plain: pd.DataFrame
    specificity: pd.DataFrame
    precision: pd.DataFrame
    decisions: pd.DataFrame


def render(results: Results) -> Section:
    """Count and name the significant differences, draw all pairs, tabulate the leaders.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = results.tables["comparisons"]
    if table.empty:
        return text_section(_TITLE, _NOTHING)
    compared = set(table["cell_a"]) | set(table["cell_b"])
    methods = [row for row in finished(results) if row.cells()[0] in compared]
    pairs = _Pairs(
        methods,
        clustered=_both_ways(table, "clustered_delong", "auc"),
        plain=_both_ways(table, "delong", "auc"),
        specificity=_both_ways(table, "bootstrap", "specificity"),
        precision=_both_ways(table, "bootstrap", "precision"),
        decisions=_both_ways(table, "sign_flip", "accuracy"),
    )
    chosen = leaders(methods)
    return Section(
        _TITLE,
        (
            paragraph(_count(pairs)),
            Bullets(tuple(_bullets(pairs))),
            note(
                "A difference that is not significant is not shown to be absent: the test set may "
                "be too small to detect it. The tests compare these fitted methods"
                f"{_seeds(methods)} on other patients from the same source. Refitting also "
                "changes the scores, and another source may rank the methods differently."
            ),
            _figure(pairs, is_synthetic(results)),
            _table(pairs, chosen, SELECTED, ("html", "markdown")),
            _table(pairs, chosen, leaders_caption(chosen), ("latex",)),
            Subheading("Decisions at a fixed threshold"),
            paragraph(_decisions(pairs)),
            _decision_table(table, chosen, class_pair(results)),
        ),
    )


def _both_ways(table: pd.DataFrame, test: str, metric: str) -> pd.DataFrame:
    own = (table["test"] == test) & (table["metric"] == metric)
    one = table[own & table["operating_point"].isin(["", CHOSEN_POINT])]
    names = ("cell", "value", "only")
    swap = {f"{name}_{x}": f"{name}_{y}" for name in names for x, y in ("ab", "ba")}
    other = one.rename(columns=swap)
    other = other.assign(difference=-one["difference"], lo=-one["hi"], hi=-one["lo"])
    return pd.concat([one, other]).set_index(["cell_a", "cell_b"])


def _significant(table: pd.DataFrame) -> pd.Series:
    """Rows below the level after Holm's correction; False where the test was not computed."""
    return table["p_holm"] < _LEVEL


def _between(table: pd.DataFrame, pairs: Sequence[tuple[Row, Row]]) -> pd.DataFrame:
    return table.reindex([(a.cells()[0], b.cells()[0]) for a, b in pairs])


def _seeds(methods: Sequence[Row]) -> str:
    if all(row.finished < 2 for row in methods):
        return ""
    if all(row.finished > 1 or row.is_external for row in methods):
        return (
            " (AUC, specificity and precision: means over seeds, with the variance between them; "
            "decisions at a fixed threshold: the first seed of each)"
        )
    return " (the first seed of each)"


def _count(pairs: _Pairs) -> str:
    table = _between(pairs.clustered, list(combinations(pairs.methods, 2)))
    total, found, unknown = len(table), int(_significant(table).sum()), int(table["p"].isna().sum())
    text = (
        f"Of {total} pair{'s' * (total > 1)} of methods, {found or 'none'} "
        f"differ{'s' * (found < 2)} significantly in AUC on the test set (p < {_LEVEL} after "
        "Holm’s correction over all pairs). The test is DeLong’s test for clustered data "
        "(doi:10.2307/2533958), which treats patients, not images, as independent."
    )
    if unknown:
        text += (
            f" {unknown} of them could not be tested: a class has too few patients, or the AUCs "
            "differ but have no variance."
        )
    return text


def _bullets(pairs: _Pairs) -> list[tuple[Part, ...]]:
    own = classical(pairs.methods)
    network = next((row for row in pairs.methods if row.is_cnn), None)
    found: list[tuple[Part, ...]] = []
    if own:
        lead = max(own, key=validation_precision)
        if network is not None:
            found.append((_network(pairs, network, lead),))
        if len(own) > 1:
            found.append((_lead(pairs, lead, [row for row in own if row is not lead]),))
    for words, same, other in (
        ("Classifiers on the same feature set", "features", "model"),
        ("Feature sets with the same classifier", "model", "features"),
    ):
        inside = [
            (a, b) for a, b in combinations(on_features(own), 2)
            if getattr(a, same) == getattr(b, same) and getattr(a, other) != getattr(b, other)
        ]  # fmt: skip
        if inside:
            count = int(_significant(_between(pairs.clustered, inside)).sum())
            found.append((f"{words} differ significantly in {count} of {len(inside)} pairs.",))
    return [*found, (_matched(pairs),), (_plain(pairs),)]


def _network(pairs: _Pairs, network: Row, lead: Row) -> str:
    one = _between(pairs.clustered, [(network, lead)]).iloc[0]
    if np.isnan(one["p"]):
        verdict = "the difference could not be tested"
    else:
        verdict = (
            f"p = {p_value(one['p'])}, {p_value(one['p_holm'])} after Holm’s correction: "
            f"{'' if one['p_holm'] < _LEVEL else 'not '}significant"
        ).replace("= <", "<")
    bounds = interval(one["lo"], one["hi"])
    return (
        f"{network.label}, versus {lead.label}, the classical method with the highest average "
        f"precision on the validation set: AUC {number(one['value_a'])} versus "
        f"{number(one['value_b'])}, difference {number(one['difference'])}"
        f"{f' ({bounds})' if bounds else ''}; {verdict}."
    )


def _lead(pairs: _Pairs, lead: Row, others: Sequence[Row]) -> str:
    table = _between(pairs.clustered, [(lead, row) for row in others])
    parts = []
    for words, side in (("higher", table["difference"] > 0), ("lower", table["difference"] < 0)):
        marked = (_significant(table) & side).to_numpy()
        names = [row.label for row, mark in zip(others, marked, strict=True) if mark]
        listed = f" ({', '.join(names)})" if 0 < len(names) <= _MOST_NAMES else ""
        parts.append(f"a significantly {words} AUC than {len(names) or 'none'}{listed}")
    return (
        f"{lead.label}, the classical method with the highest average precision on the validation "
        f"set, versus the {len(others)} other{'s' * (len(others) > 1)}: it has "
        f"{' and '.join(parts)}."
    )


def _plain(pairs: _Pairs) -> str:
    clustered, plain = (table["hi"] - table["lo"] for table in (pairs.clustered, pairs.plain))
    ratio = (plain / clustered[clustered > 0]).median()
    count = int(_significant(pairs.plain).sum()) // 2
    text = (
        "DeLong’s test without clustering treats images as independent, although images of one "
        f"patient are not. It would find {count} significant difference{'s' * (count != 1)}"
    )
    if np.isnan(ratio):
        return f"{text}."
    change = round(100 * abs(1 - ratio), 1)
    width = f"{change:g} % {'narrower' if ratio < 1 else 'wider'} than" if change else "as wide as"
    return f"{text}. Its intervals are, in the median, {width} the clustered ones."


def _matched(pairs: _Pairs) -> str:
    total = len(pairs.specificity) // 2
    counts = [int(_significant(table).sum()) // 2 for table in (pairs.specificity, pairs.precision)]
    return (
        "At the thresholds for a recall of 0.95 on the validation set, specificity differs "
        f"significantly in {counts[0]} of {total} pairs and precision in {counts[1]} (Wald test "
        "with the standard error of a bootstrap over test and validation patients, in which the "
        "thresholds are chosen again; Holm’s correction)."
    )


def _decisions(pairs: _Pairs) -> str:
    count, total = int(_significant(pairs.decisions).sum()) // 2, len(pairs.decisions) // 2
    return (
        "With each method’s threshold for a recall of 0.95 on the validation set held fixed, the "
        f"fraction of correct decisions differs significantly in {count} of {total} pairs "
        "(McNemar’s test with patients as clusters: exact sign-flip test, doi:10.1002/sim.1438; "
        "Holm’s correction). The test does not include the choice of the thresholds. McNemar’s "
        "test without clusters treats images as independent; its p values are shown for comparison "
        "with other work."
    )


def _decision_table(table: pd.DataFrame, chosen: Sequence[Row], names: tuple[str, str]) -> Table:
    shown = (("accuracy", "All"), ("recall", names[1]), ("specificity", names[0]))
    both = {
        (test, metric): _both_ways(table, test, metric)
        for test in ("sign_flip", "mcnemar") for metric, _ in shown
    }  # fmt: skip
    lines = []
    for pair in combinations(chosen, 2):
        line = [Cell(row.label) for row in pair]
        for metric, _ in shown:
            right = _between(both["sign_flip", metric], [pair]).iloc[0]
            plain = _between(both["mcnemar", metric], [pair]).iloc[0]
            line += [
                Cell(number(right["only_a"], 0)), Cell(number(right["only_b"], 0)),
                Cell(p_value(right["p_holm"]), best=bool(right["p_holm"] < _LEVEL)),
                Cell(p_value(plain["p_holm"])),
            ]  # fmt: skip
        lines.append(tuple(line))
    return Table(
        name="decisions",
        caption=(
            "Test images that only one of two methods classifies correctly, thresholds held fixed, "
            f"and p values after Holm’s correction. Shown: {SELECTED}. "
            "comparisons.csv has all pairs."
        ),
        header=("A", "B", *("Only A", "Only B", "p, patients", "p, images") * len(shown)),
        groups=(Group("", 2), *(Group(f"{title} images", 4, title) for _, title in shown)),
        rows=tuple(lines),
        labels=2,
        note=f"Bold: p < {_LEVEL} after Holm’s correction over all pairs of the run.",
    )


def _figure(pairs: _Pairs, synthetic: bool) -> Figure:
    names = [row.cells()[0] for row in pairs.methods]
    size = len(names)
    every = pd.MultiIndex.from_product([names, names])
    difference, marked = (
        series.reindex(every).to_numpy(dtype=float).reshape(size, size)
        for series in (pairs.clustered["difference"], _significant(pairs.clustered))
    )
    limit = max(0.01, float(np.nanmax(np.abs(difference))))

    def paint(figure: MplFigure) -> None:
        axes = figure.subplots()
        mesh = axes.pcolormesh(
            difference, cmap="PuOr", vmin=-limit, vmax=limit, edgecolors="white", linewidth=0.5
        )
        across, down = np.nonzero(marked.T == 1)
        axes.plot(across + 0.5, down + 0.5, "o", color="black", markersize=4.5,
                  markeredgecolor="white", markeredgewidth=0.6)  # fmt: skip
        labels = [row.label for row in pairs.methods]
        axes.set_xticks(np.arange(size) + 0.5, labels, rotation=90)
        axes.set_yticks(np.arange(size) + 0.5, labels)
        axes.tick_params(length=0)
        axes.set(xlim=(0, size), ylim=(size, 0), aspect="equal")
        axes.spines[:].set_visible(False)
        for cut in breaks(pairs.methods):
            axes.axhline(cut, color="#8a929b", linewidth=0.7)
            axes.axvline(cut, color="#8a929b", linewidth=0.7)
        figure.colorbar(mesh, ax=axes, shrink=0.6, label="AUC, row − column")

    alt = (
        "Matrix of the AUC difference of every pair of methods on the test set; "
        f"{int(np.nansum(marked)) // 2} of {size * (size - 1) // 2} pairs are marked."
    )
    side = 0.215 * size
    return Figure(
        name="differences",
        caption=(
            "Difference in AUC on the test set: method of the row minus method of the column. "
            f"Dots: significant differences (clustered DeLong, p < {_LEVEL} after Holm’s "
            "correction over all pairs)."
        ),
        alt=alt,
        svg=draw("differences", (min(9.2, 3.4 + side), 1.7 + side), paint, alt, synthetic),
    )


def _table(pairs: _Pairs, chosen: Sequence[Row], shown: str, formats: tuple[str, ...]) -> Table:
    lines = []
    for a, b in combinations(chosen, 2):
        area, rates, precision = (
            _between(one, [(a, b)]).iloc[0]
            for one in (pairs.clustered, pairs.specificity, pairs.precision)
        )
        lines.append((
            Cell(a.label), Cell(b.label),
            Cell(number(area["difference"]), detail=interval(area["lo"], area["hi"])),
            Cell(p_value(area["p"])),
            Cell(p_value(area["p_holm"]), best=bool(area["p_holm"] < _LEVEL)),
            *(
                cell
                for one in (rates, precision)
                for cell in (
                    Cell(number(one["difference"]), detail=interval(one["lo"], one["hi"])),
                    Cell(p_value(one["p_holm"]), best=bool(one["p_holm"] < _LEVEL)),
                )
            ),
        ))  # fmt: skip
    return Table(
        name="differences",
        caption=(
            "Pairwise comparisons on the test set, A − B with 95 % interval: AUC (clustered "
            "DeLong), and specificity and precision at the thresholds for a recall of 0.95 on the "
            "validation set, which each bootstrap resample chooses again. Shown: "
            f"{shown}. comparisons.csv has all pairs."
        ),
        header=("A", "B", "A − B", "p", "Holm’s p", *("A − B", "Holm’s p") * 2),
        groups=(
            Group("", 2),
            Group("AUC", 3, "AUC"),
            Group("Specificity", 2, "spec."),
            Group("Precision", 2, "prec."),
        ),
        rows=tuple(lines),
        labels=2,
        note=f"Bold: p < {_LEVEL} after Holm’s correction over all pairs of the run.",
        formats=formats,
    )
