"""Feature importance: families, parts, regions and columns; refits and stability."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from benchmarks.fitting.cell import families_of
from benchmarks.importance.agreement import agreement
from benchmarks.importance.importance_map import outside_chest
from benchmarks.io.formatting import interval, join_words, number
from benchmarks.io.results import Results
from benchmarks.report.blocks import Block, Cell, Code, Group, Section, Table, note, paragraph, row
from benchmarks.report.importance_data import (
    METHODS,
    cells_with,
    importance_of,
    judged,
    lines,
    main_rows,
    region_map,
    value_cell,
    widest,
)
from benchmarks.report.importance_figures import (
    agreement_figure,
    classes_figure,
    groups_figure,
    maps_figure,
    swarm_figure,
)
from benchmarks.statistics.equivalence import counts_text

TITLE = "Feature importance"
MOST_FEATURES = 10
CLUSTERS_PER_CELL = 2


def render(results: Results) -> Section:
    """Show which families, parts, image regions and columns the fitted cells depend on.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Section
    """
    table = importance_of(results)
    missing = _left_out(results)
    if table.empty and missing:
        return Section(TITLE, tuple(missing))
    if table.empty:
        return Section(TITLE, (paragraph(
            "This run did not measure feature importance. To measure it, add ",
            Code("--study importance"), " to a run that keeps its fitted models, or use ",
            Code("run_benchmark.py importance RUN_DIR"), "."
        ),))  # fmt: skip
    blocks: list[Block] = [*missing, paragraph(_families_text(table))]
    if cells_with(table, "permutation", "family"):
        blocks.append(_families_table(table))
    parts = {m: cells_with(table, m, "subfamily") for m in ("permutation", "shap")}
    named = {m: cells[widest(list(cells))] for m, cells in parts.items() if cells}
    if named:
        blocks.append(groups_figure(results, table, named))
    places = maps_figure(results, table)
    if places:
        blocks += [paragraph(_places_text(results, table)), places]
    placed = cells_with(table, "shap", "region")
    if placed:
        features = widest(list(placed))
        known = set(results.tables["importance_regions"]["family"])
        families = [name for name in families_of(features) if name in known]
        both = classes_figure(results, table, placed[features], families)
        blocks += [both] if both else []
    single = cells_with(table, "shap", "feature")
    if single:
        cell = single[widest(list(single))]
        blocks.append(_features_table(table, cell))
        swarm = results.table("importance_swarm")
        if len(swarm):
            blocks.append(swarm_figure(results, swarm[swarm["cell"] == cell]))
    shown = {cell for m in ("permutation", "shap") for level in ("subfamily", "region")
             for cell in cells_with(table, m, level).values()}  # fmt: skip
    agreed = agreement(main_rows(table[table["cell"].isin(shown)]))
    agreed = agreed[agreed["level"] != "family"]
    if len(agreed):
        blocks += [paragraph(_agreement_text(agreed)), agreement_figure(results, agreed)]
    blocks += [*_refit_blocks(results), note(*_caution(results))]
    return Section(TITLE, tuple(blocks))


def _left_out(results: Results) -> list[Block]:
    """Name the importances that are unavailable, with reasons."""
    table = results.table("importance")
    if table.empty:
        return []
    missing = table[table["status"] != "ok"].to_dict("records")
    reasons = [f"{one['method']} of {one['cell']}: {one['reason']}" for one in missing]
    return [note(f"Unavailable: {'; '.join(reasons)}")] if reasons else []


def _families_text(table: pd.DataFrame) -> str:
    cells = cells_with(table, "permutation", "family")
    if not cells:
        return "No feature set of this run has more than one family to compare."
    looked = judged(
        pd.concat([lines(table, cell, "permutation", "family") for cell in cells.values()])
    )
    sentences = [
        f"{features} ({cell.split('/')[1]}): {_changes_text(looked[looked['cell'] == cell])}"
        for features, cell in cells.items()
    ]
    return (
        "All columns of a family are permuted together between test images. The decrease of the "
        "AUC measures the information that no other family of the feature set replaces. "
        f"{'. '.join(sentences)}. Intervals are 95 %; the verdicts are corrected for the "
        f"{len(looked)} intervals looked at. A small decrease does not mean that a family is "
        "useless: another family may carry the same information."
    )


def _changes_text(rows: pd.DataFrame) -> str:
    """Name the groups that are useful, harmful on the test set, and not shown to be either."""
    by = {
        verdict: own.sort_values("value", ascending=False, kind="stable")
        for verdict, own in rows.groupby("verdict")
    }
    parts = []
    if "useful" in by:
        first, *others = (_with_interval(one) for one in by["useful"].to_dict("records"))
        parts.append(f"the largest decrease is that of {first}")
        if others:
            parts.append(f"a decrease is also shown for {join_words(others)}")
    else:
        parts.append("no decrease of the AUC is shown")
    if "harmful" in by:
        found = join_words([_with_interval(one) for one in by["harmful"].to_dict("records")])
        parts.append(
            f"harmful on the test set, since permuting them increases the AUC (decrease below 0): "
            f"{found}"
        )
    if "open" in by:
        parts.append(f"not shown to differ from 0: {join_words(by['open']['group'].tolist())}")
    return "; ".join(parts)


def _with_interval(one: Mapping[Hashable, Any]) -> str:
    return f"{one['group']}, {number(one['value'])} ({interval(one['lo'], one['hi'])})"


def _families_table(table: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    cuts = []
    trees = cells_with(table, "shap", "family")
    for features, cell in cells_with(table, "permutation", "family").items():
        cuts.append(len(rows))
        shap = trees.get(features, "")
        for family in lines(table, cell, "permutation", "family")["group"]:
            cells = [Cell(features), Cell(family)]
            for metric in ("auc", "average_precision", "precision"):
                cells.append(
                    value_cell(lines(table, cell, "permutation", "family", metric), family)
                )
            cells.append(value_cell(lines(table, shap, "shap", "family"), family))
            rows.append(tuple(cells))
    used = [f"{m}: {', '.join(cells_with(table, m, 'family').values())}"
            for m in ("permutation", "shap") if cells_with(table, m, "family")]  # fmt: skip
    return Table(
        name="importance-families",
        caption=(
            "Feature families: decrease of three test metrics when the family's columns are "
            "permuted together between images (precision at the threshold for a recall of 0.95 "
            "on the validation set), and mean |SHAP| of the family's sum, in log-odds (random "
            "forest: in probability)."
        ),
        header=("Features", "Family", "AUC", "AP", "Precision", "Mean |SHAP|"),
        groups=(Group("", 2), Group("Decrease by permutation", 3, "decrease"), Group("", 1)),
        rows=tuple(rows),
        labels=2,
        breaks=tuple(cuts[1:]),
        note=f"Cells: {'; '.join(used)}. Intervals are over patients and, for permutation, also "
        "over permutations.",
    )


def _places_text(results: Results, table: pd.DataFrame) -> str:
    found, area = [], math.nan
    for method in ("permutation", "shap"):
        shares = []
        for features, cell in cells_with(table, method, "region").items():
            share, area = outside_chest(region_map(results, lines(table, cell, method, "region")))
            if not math.isnan(share):
                shares.append(f"{features} {share:.0%}")
        if shares:
            found.append(f"by {METHODS[method]} {', '.join(shares)}")
    if not found:
        return "No region of the image has a positive importance."
    return (
        "Fraction of the positive importance outside the chest (a fixed trapezium around the "
        f"lungs; a uniform map would have {area:.0%} there): {'; '.join(found)}. These fractions "
        "have no intervals, and the lungs were not segmented. Letters, borders and arms lie there. "
        f"{_corners(results, table)}"
    )


def _corners(results: Results, table: pd.DataFrame) -> str:
    """Name the most important region of each feature set, if a region is shown to be important."""
    found = []
    boxes = results.tables["importance_regions"].set_index("region")
    size = int(results.run["config"]["image_size"])
    for features, cell in cells_with(table, "permutation", "region").items():
        rows = judged(lines(table, cell, "permutation", "region"))
        counts = counts_text(rows, ("value", "lo", "hi"))
        useful = rows[rows["verdict"] == "useful"]
        if useful.empty:
            found.append(f"{features}: {counts}; no region is shown to decrease the AUC")
            continue
        top = useful.nlargest(1, "value").iloc[0]
        box = boxes[boxes.index == top["group"]].iloc[0]
        found.append(
            f"{features}: {counts}; the largest of those above 0 after correction is "
            f"{top['group']}, {_where(box, size)} ({number(top['value'], 4)}; "
            f"{interval(top['lo'], top['hi'], 4)})"
        )
    if not found:
        return ""
    return f"Decrease of the AUC by permuting a single region: {'. '.join(found)}."


def _where(box: pd.Series, size: int) -> str:
    """Describe the position of a region in the image, as the reader sees it.

    Examples
    --------
    >>> _where(pd.Series({"top": 0, "bottom": 16, "left": 208, "right": 224}), 224)
    'upper right'
    >>> _where(pd.Series({"top": 100, "bottom": 116, "left": 100, "right": 116}), 224)
    'centre'
    """
    down = (box["top"] + box["bottom"]) / 2 / size
    across = (box["left"] + box["right"]) / 2 / size
    height = "upper" if down < 1 / 3 else "lower" if down > 2 / 3 else "middle"
    side = "left" if across < 1 / 3 else "right" if across > 2 / 3 else "centre"
    return "centre" if (height, side) == ("middle", "centre") else f"{height} {side}"


def _features_table(table: pd.DataFrame, cell: str) -> Table:
    rows = lines(table, cell, "shap", "feature").head(MOST_FEATURES)
    return Table(
        name="importance-features",
        caption=f"Columns with the largest mean |SHAP| in {cell}.",
        header=("Rank", "Column", "Mean |SHAP|"),
        rows=tuple(
            (*row(int(line["rank"]), line["group"]),
             Cell(number(line["value"], 4), interval(line["lo"], line["hi"], 4)))
            for line in rows.to_dict("records")
        ),
        labels=2,
        words=True,
    )  # fmt: skip


def _agreement_text(agreed: pd.DataFrame) -> str:
    pairs = []
    for (a, b), rows in agreed.groupby(["method_a", "method_b"], sort=False):
        taus = rows["tau"]
        pairs.append(
            f"{METHODS[str(a)]} and {METHODS[str(b)]}: "
            f"median tau {number(float(taus.median()), 2)} "
            f"({number(float(taus.min()), 2)} to {number(float(taus.max()), 2)}, {len(rows)} "
            "comparisons)"
        )
    return (
        f"Agreement between methods: {'; '.join(pairs)}. They measure different things: "
        "permutation the loss of test performance, SHAP the contribution to the score, impurity "
        "and gain the use in growing the trees. The last two are biased towards columns with many "
        "values and are computed on training rows; they are shown for comparison, not as evidence."
    )


def _caution(results: Results) -> tuple[str, ...]:
    checks = results.table("importance_checks")
    own = checks[checks["check"] == "shap_additivity"] if len(checks) else checks
    added = ""
    if len(own):
        added = (
            f" SHAP values add up to the score in all {len(own)} cells, to "
            f"within {float(own['value'].max()):.1g}; {int(own['images'].max())} test images "
            "against a background of 100 training images (interventional)."
        )
    return (
        "Importance describes what a fitted model uses on these images, not what is a sign of "
        "disease." + added + _views_caution(results),
    )


def _views_caution(results: Results) -> str:
    """Say that importances are of the image itself where scores are means over views."""
    config = results.run.get("config", {})
    views = config.get("views", 1) if isinstance(config, dict) else 1
    if views <= 1:
        return ""
    return (
        f" The scores of this run are means over {views} views of an image. Importance by "
        "permutation and SHAP values are of the score of the image itself, without its further "
        "views; the threshold is that of the means."
    )


def _refit_blocks(results: Results) -> list[Block]:
    """Show the tables that only ``run_benchmark.py importance`` writes."""
    table = importance_of(results)
    steady = results.table("importance_stability")
    clusters = results.table("importance_clusters")
    if steady.empty and "family_left_out" not in set(table["method"]):
        return [paragraph(
            "Refits without a family, importance in cross-validation, stability over seeds and "
            "patients, and clusters of redundant columns are measured by ",
            Code("run_benchmark.py importance RUN_DIR"), ".",
        )]  # fmt: skip
    blocks: list[Block] = []
    if "family_left_out" in set(table["method"]):
        blocks += [paragraph(_refits_text(table)), _refits_table(table)]
    if len(steady):
        blocks += [paragraph(_stability_text(steady)), _stability_table(steady)]
    if len(clusters):
        blocks += [paragraph(_clusters_text(clusters)), _clusters_table(clusters)]
    return blocks


def _refits_text(table: pd.DataFrame) -> str:
    cells = cells_with(table, "family_left_out", "family")
    looked = judged(
        pd.concat(
            [lines(table, cell, "family_left_out", "family", "auc") for cell in cells.values()]
        )
    )
    found = []
    for features, cell in cells.items():
        lost = looked[looked["cell"] == cell]
        useful, harmful = (
            lost.loc[lost["verdict"] == verdict, "group"].tolist()
            for verdict in ("useful", "harmful")
        )
        what = (
            f"leaving out {' or '.join(useful)} lowers the AUC"
            if useful
            else "leaving out any one family is not shown to lower the AUC"
        )
        more = f"; leaving out {' or '.join(harmful)} raises it" if harmful else ""
        alone = lines(table, cell, "family_alone", "family", "auc").nlargest(1, "value").iloc[0]
        found.append(
            f"{features}: {what}{more}; the largest AUC of a single family is that of "
            f"{alone['group']}, {number(alone['value'])} ({interval(alone['lo'], alone['hi'])})"
        )
    return (
        "Each cell was refitted without each family, and with each family alone. "
        f"{'. '.join(found)}. The verdicts are corrected for the {len(looked)} intervals looked at."
    )


def _refits_table(table: pd.DataFrame) -> Table:
    rows: list[tuple[Cell, ...]] = []
    cuts = []
    for features, cell in cells_with(table, "family_left_out", "family").items():
        cuts.append(len(rows))
        for family in lines(table, cell, "family_alone", "family", "auc")["group"]:
            rows.append((
                Cell(features), Cell(family),
                value_cell(lines(table, cell, "family_alone", "family", "auc"), family),
                value_cell(lines(table, cell, "family_left_out", "family", "auc"), family),
                value_cell(lines(table, cell, "permutation", "family", "auc"), family),
                value_cell(lines(table, cell, "permutation", "family", "auc", "cv"), family),
                value_cell(lines(table, cell, "family_shap", "family", "mean_abs"), family),
            ))  # fmt: skip
    return Table(
        name="importance-refits",
        caption="Refits and permutation of families: test AUC of the family alone; decrease of the "
        "cell's AUC in a refit without it, and by permutation on test and on held-out folds; mean "
        "absolute Shapley value of the family, in probability.",
        header=("Features", "Family", "AUC alone", "Left out", "On test", "On folds", "Shapley"),
        groups=(Group("", 3), Group("Decrease of the AUC", 3, "decrease"), Group("", 1)),
        rows=tuple(rows),
        labels=2,
        breaks=tuple(cuts[1:]),
    )


def _stability_text(steady: pd.DataFrame) -> str:
    everything = steady[steady["kind"] == "all"]
    single = everything[everything["level"] == "feature"]
    regions = everything[everything["level"] == "region"]
    found = []
    for rows, what in ((single, "columns by mean |SHAP|"), (regions, "regions")):
        if len(rows):
            counts = "; ".join(
                f"{r['cell']} ({r['method']}) {int(r['trusted'])} of {int(r['k'])}"
                for r in rows.to_dict("records")
            )
            found.append(f"Stable among the largest {what}: {counts}")
    fits = int(everything["fits"].max())
    return (
        "Stability of rankings: each cell was refitted with other seeds, without each fold, and on "
        f"bootstrap samples of patients, {fits - 1} times in all; a group is stable if it is among "
        f"the largest in nine of ten fits. {'. '.join(found)}."
    )


def _stability_table(steady: pd.DataFrame) -> Table:
    wide = steady.pivot_table(
        index=["cell", "method", "level", "groups", "k"], columns="kind", values=["w", "overlap"],
        sort=False,
    )  # fmt: skip
    kept = steady[steady["kind"] == "all"].set_index(["cell", "method", "level"])["trusted"]
    kinds = ("seeds", "folds", "bootstraps")
    rows = []
    for key, line in wide.iterrows():
        assert isinstance(key, tuple)
        cell, method, level, groups, k = key
        numbers = [Cell(number(line["w", kind], 2)) for kind in kinds]
        numbers += [Cell(number(line["overlap", kind], 2)) for kind in kinds]
        stable = f"{int(kept[cell, method, level])} of {int(k)}"
        rows.append((*row(cell, method, level, int(groups)), *numbers, Cell(stable)))
    return Table(
        name="importance-stability",
        caption="Stability of rankings: Kendall's W (1: all fits give the same ranking) and "
        "the overlap of the largest groups, over seeds, folds and bootstrap samples of patients.",
        header=("Cell", "Method", "Level", "Groups", *(("Seeds", "Folds", "Patients") * 2),
                "Stable"),
        groups=(Group("", 4), Group("Kendall's W", 3, "W"), Group("Overlap of largest", 3, "top"),
                Group("", 1)),
        rows=tuple(rows),
        labels=3,
    )  # fmt: skip


def _clusters_text(clusters: pd.DataFrame) -> str:
    known = clusters.dropna(subset=["alone"])
    hidden = known[known["value"] > 2 * known["alone"].clip(lower=0)]
    return (
        "The columns of a cluster of redundant columns (mean |rank correlation| of at least 0.7 on "
        "training images) were permuted together and one by one. Of the "
        f"{len(known)} clusters with the largest decreases of the AUC, {len(hidden)} decrease it "
        "by more than twice the sum of their columns' decreases. These values have no intervals."
    )


def _clusters_table(clusters: pd.DataFrame) -> Table:
    ranked = clusters.dropna(subset=["alone"]).sort_values("value", ascending=False, kind="stable")
    best = ranked.groupby("cell", sort=False).head(CLUSTERS_PER_CELL).sort_values(
        "cell", kind="stable", key=lambda cells: cells.map(list(clusters["cell"].unique()).index)
    )  # fmt: skip
    return Table(
        name="importance-clusters",
        caption="The two clusters of columns with the largest decreases in each cell: decrease of "
        "the AUC when their columns are permuted together, and sum of the decreases one by one.",
        header=("Cell", "Cluster: its most typical column, and columns by family", "Columns",
                "Together", "One by one"),
        rows=tuple(
            (*row(line["cell"], line["cluster"], int(line["columns"])),
             Cell(number(line["value"], 4)), Cell(number(line["alone"], 4)))
            for line in best.to_dict("records")
        ),
        labels=2,
        words=True,
    )  # fmt: skip
